"""A node for audit.py: serves prepared rows and blocks over HTTP, as nodeos does. Standard library only.

`python audit_node.py DIRECTORY` prints its port. In DIRECTORY: `rows` (32 bytes a ledger id from 1 on, zeros where
there is none), `blocks` (answers to get_raw_block, one after the other), `node.json` (chain id, where each block is).
"""

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

NO_DIGEST = bytes(32)


class Node:
    def __init__(self, directory: Path) -> None:
        self._about: dict[str, Any] = json.loads((directory / "node.json").read_text())
        self._rows = (directory / "rows").read_bytes()
        self._blocks = (directory / "blocks").open("rb")
        self._last = len(self._rows) // 32

    def answer(self, call: str, body: dict[str, Any]) -> bytes:
        if call == "get_raw_block":
            return self._block(int(body["block_num_or_id"]))
        return json.dumps(getattr(self, call)(body)).encode()

    def get_info(self, body: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000")
        lib = self._about["first"] + len(self._about["offsets"])
        return {
            "chain_id": self._about["chain_id"],
            "head_block_num": lib + 1,
            "head_block_time": now,
            "head_block_id": f"{lib + 1:08x}" + "0" * 56,
            "last_irreversible_block_num": lib,
            "last_irreversible_block_id": f"{lib:08x}" + "0" * 56,
            "last_irreversible_block_time": now,
        }

    def get_account(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"permissions": []}

    def get_table_rows(self, body: dict[str, Any]) -> dict[str, Any]:
        if body["table"] == "state":
            row = {"floor": 0, "count": self._last, "last": self._last, "since": 1, "heads": []}
            return {"rows": [row], "more": False, "next_key": ""}
        first = max(int(body.get("lower_bound") or 1), 1)
        last = min(int(body.get("upper_bound") or self._last), self._last)
        rows: list[dict[str, Any]] = []
        while first <= last and len(rows) < int(body["limit"]):
            digest = self._rows[32 * (first - 1) : 32 * first]
            if digest != NO_DIGEST:
                rows.append({"id": first, "digest": digest.hex()})
            first += 1
        return {"rows": rows, "more": first <= last, "next_key": str(first)}

    def _block(self, num: int) -> bytes:
        start, size = self._about["offsets"][num - self._about["first"]]
        self._blocks.seek(start)
        return self._blocks.read(size)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            request, *lines = head.decode().split("\r\n")
            sizes = [int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:")]
            body = json.loads(await reader.readexactly(sizes[0]) or b"{}") if sizes else {}
            content = self.answer(request.split()[1].rsplit("/", 1)[1], body)
            top = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
            writer.write(top.encode() + content)
            await writer.drain()
        writer.close()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def main(directory: Path) -> None:
    server = await asyncio.start_server(Node(directory).serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
