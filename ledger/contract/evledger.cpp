// evledger: the ledger contract of EVPortal for EOS.IO / Antelope chains.
//
// Written without the CDT: a freestanding WebAssembly module that imports nodeos' intrinsics by name, so that a clang and
// an lld from a wheel build it and anyone can rebuild the same bytes (build.sh --check).
//
// Actions
//   record(rec[] records, uint32[]$ blocks, mark[]$ marks)
//       rec{uint64 id; checksum256 digest; bytes sealed}, mark{uint64 id; checksum256 mark}
//       needs the authority of the contract's account; `linkauth` lets the permission `record` do this and nothing else.
//       Keeps a row {id, digest} for each record. `sealed` stays in the block log only and costs no RAM.
//       Ids need not come in order. An id at or below the floor, an id or a digest that is there already, truncated data
//       or trailing bytes abort the action as a whole.
//       `blocks` names blocks that hold records, in ascending order and all below the current one: they leave `heads`, as
//       far as they are in it. So all blocks with records hang together: each is in `heads` or named by a later action.
//       `marks` says which of our records takes back another one, in a form that only who has that other record's receipt
//       recognises (docs/ledger.md). The record has to be there, and has one mark at most.
//       `blocks` and `marks` are binary extensions: data that end after `records`, as version 1 made them, or after `blocks`
//       are taken as if what is missing were empty.
//   prune(uint64 upto, uint32 max)
//       needs exactly account@prune. Erases at most `max` rows with id <= upto, lowest first, and raises the floor: to
//       `upto` when none of them is left, else to the last id erased. Nothing at or below the floor is accepted again, also
//       an id that was never used: prune only what is wholly recorded. `upto` may not exceed `last`, or one slip of the
//       hand would close the ledger for ever. Marks stay.
//
// Tables, scope = account
//   records{uint64 id; checksum256 digest}               primary id; secondary index 2 on digest (key_type sha256)
//   marks{uint64 id; checksum256 mark}                   primary id; secondary index 2 on mark (key_type sha256)
//   state{uint64 floor; uint64 count; uint64 last; uint32 since$; uint32[] heads$}    one row
//       floor, rows present, highest id ever recorded (0 = none)
//       since: 0 no record under this version yet; 1 every record is in the list of blocks; n > 1: blocks below n may hold
//              records of version 1, which the list does not name
//       heads: blocks that hold records and that no action has named yet, ascending. Version 1's row ends before `since`.
//
// The chain has to know GET_BLOCK_NUM (protocol feature of Leap 3.1 and later).

using uint8_t = unsigned char;
using uint32_t = unsigned int;
using uint64_t = unsigned long long;
using int32_t = int;

#define INTRINSIC(name) __attribute__((import_module("env"), import_name(#name)))

extern "C" {
INTRINSIC(eosio_assert) void eosio_assert(uint32_t condition, const char* message);
INTRINSIC(require_auth) void require_auth(uint64_t account);
INTRINSIC(require_auth2) void require_auth2(uint64_t account, uint64_t permission);
INTRINSIC(get_block_num) uint32_t get_block_num();
INTRINSIC(action_data_size) uint32_t action_data_size();
INTRINSIC(read_action_data) uint32_t read_action_data(void* data, uint32_t size);
INTRINSIC(db_find_i64) int32_t db_find_i64(uint64_t code, uint64_t scope, uint64_t table, uint64_t id);
INTRINSIC(db_lowerbound_i64) int32_t db_lowerbound_i64(uint64_t code, uint64_t scope, uint64_t table, uint64_t id);
INTRINSIC(db_next_i64) int32_t db_next_i64(int32_t iterator, uint64_t* primary);
INTRINSIC(db_get_i64) int32_t db_get_i64(int32_t iterator, void* data, uint32_t size);
INTRINSIC(db_store_i64)
int32_t db_store_i64(uint64_t scope, uint64_t table, uint64_t payer, uint64_t id, const void* data, uint32_t size);
INTRINSIC(db_update_i64) void db_update_i64(int32_t iterator, uint64_t payer, const void* data, uint32_t size);
INTRINSIC(db_remove_i64) void db_remove_i64(int32_t iterator);
INTRINSIC(db_idx256_store)
int32_t db_idx256_store(uint64_t scope, uint64_t table, uint64_t payer, uint64_t id, const void* key, uint32_t words);
INTRINSIC(db_idx256_find_secondary)
int32_t db_idx256_find_secondary(uint64_t code, uint64_t scope, uint64_t table, const void* key, uint32_t words,
                                 uint64_t* primary);
INTRINSIC(db_idx256_find_primary)
int32_t db_idx256_find_primary(uint64_t code, uint64_t scope, uint64_t table, void* key, uint32_t words, uint64_t primary);
INTRINSIC(db_idx256_remove) void db_idx256_remove(int32_t iterator);
extern uint8_t __heap_base;  // set by the linker: the first byte behind the module's own data and stack
}

namespace {

constexpr uint64_t name(const char* text) {  // the chain's 64-bit names: 12 characters of 5 bits
    uint64_t value = 0;
    for (int i = 0; i < 12; ++i) {
        uint64_t symbol = 0;
        if (*text >= 'a' && *text <= 'z') symbol = *text - 'a' + 6;
        if (*text >= '1' && *text <= '5') symbol = *text - '1' + 1;
        if (*text) ++text;
        value |= symbol << (59 - 5 * i);
    }
    return value;
}

constexpr uint64_t RECORDS = name("records");
constexpr uint64_t RECORDS_BY_DIGEST = RECORDS;  // an index's table is the name with the index number in its low 4 bits: 0
constexpr uint64_t MARKS = name("marks");
constexpr uint64_t MARKS_BY_MARK = MARKS;
constexpr uint64_t STATE = name("state");
constexpr uint32_t DIGEST_SIZE = 32;
constexpr uint32_t KEY_WORDS = 2;  // an idx256 key counts in 128-bit words
constexpr uint32_t PAGE_SIZE = 65536;
constexpr uint32_t STATE_SIZE_MIN = 3 * 8 + 4 + 5;  // without heads, with the longest count of them

void check(bool condition, const char* message) {
    if (!condition) eosio_assert(0, message);
}

struct Row {  // of `records` and of `marks`
    uint64_t id;
    uint8_t hash[DIGEST_SIZE];
};
static_assert(sizeof(Row) == 40, "a row is packed as the ABI says");

// A digest as an idx256 key: nodeos compares two little-endian 128-bit words, get_table_rows turns each half round.
struct Key {
    alignas(16) uint8_t bytes[DIGEST_SIZE];

    explicit Key(const uint8_t* digest) {
        for (uint32_t i = 0; i < 16; ++i) {
            bytes[i] = digest[15 - i];
            bytes[16 + i] = digest[31 - i];
        }
    }
};

// Memory behind the module's own, never given back: an action is short.
uint8_t* allocate(uint32_t size) {
    static uint8_t* next = &__heap_base;
    uint8_t* const start = next;
    check(size < 1u << 30, "evledger: data too large");
    next += (size + 15) & ~15u;
    const uint32_t needed = (reinterpret_cast<uint32_t>(next) + PAGE_SIZE - 1) / PAGE_SIZE;
    const uint32_t present = __builtin_wasm_memory_size(0);
    if (needed > present)
        check(__builtin_wasm_memory_grow(0, needed - present) != static_cast<uint32_t>(-1), "evledger: data too large");
    return start;
}

// Packed values, read once and never beyond their end.
class Reader {
public:
    Reader(const uint8_t* data, uint32_t size) : position_(data), end_(data + size) {}

    static Reader of_action() {
        const uint32_t size = action_data_size();
        uint8_t* const buffer = allocate(size);
        read_action_data(buffer, size);
        return Reader(buffer, size);
    }

    bool at_end() const { return position_ == end_; }

    const uint8_t* take(uint32_t size) {
        check(size <= static_cast<uint32_t>(end_ - position_), "evledger: truncated data");
        const uint8_t* const start = position_;
        position_ += size;
        return start;
    }

    template <typename Integer>
    Integer integer() {  // little-endian, as WebAssembly's own memory
        Integer value;
        __builtin_memcpy(&value, take(sizeof(Integer)), sizeof(Integer));
        return value;
    }

    // A varuint32 of at most five bytes, the fifth at most 15, and in its shortest form: one meaning, one encoding.
    uint32_t varuint() {
        uint32_t value = 0;
        for (uint32_t shift = 0; shift < 35; shift += 7) {
            const uint32_t byte = *take(1);
            check(shift < 28 || byte < 16, "evledger: bad varuint");
            value |= (byte & 0x7f) << shift;
            if (byte < 0x80) {
                check(byte != 0 || shift == 0, "evledger: bad varuint");
                return value;
            }
        }
        return value;  // not reached: the fifth byte ended it or failed the check
    }

    void finish() const { check(at_end(), "evledger: trailing bytes"); }

private:
    const uint8_t* position_;
    const uint8_t* end_;
};

template <typename Integer>
void put_integer(uint8_t*& position, Integer integer) {
    __builtin_memcpy(position, &integer, sizeof(integer));
    position += sizeof(integer);
}

void put_varuint(uint8_t*& position, uint32_t value) {
    for (; value > 0x7f; value >>= 7) *position++ = (value & 0x7f) | 0x80;
    *position++ = value;
}

class Ledger {
public:
    explicit Ledger(uint64_t self) : self_(self), iterator_(db_find_i64(self, self, STATE, STATE)) {
        if (iterator_ < 0) return;
        const uint32_t size = db_get_i64(iterator_, nullptr, 0);
        uint8_t* const buffer = allocate(size);
        db_get_i64(iterator_, buffer, size);
        Reader row(buffer, size);
        floor_ = row.integer<uint64_t>();
        count_ = row.integer<uint64_t>();
        last_ = row.integer<uint64_t>();
        if (row.at_end()) return;  // version 1 wrote it
        since_ = row.integer<uint32_t>();
        head_count_ = row.varuint();
        heads_ = row.take(head_count_ * sizeof(uint32_t));
    }

    // This block holds records from now on; those that the action names need not be kept in mind any more.
    void link(Reader& named, uint32_t count, uint32_t block) {
        if (since_ == 0) since_ = last_ == 0 ? 1 : block;
        uint8_t* const kept = allocate((head_count_ + 1) * sizeof(uint32_t));
        uint8_t* end = kept;
        uint32_t next = 0, before = 0;
        for (uint32_t i = 0; i < count; ++i) {
            const uint32_t number = named.integer<uint32_t>();
            check(number > before, "evledger: blocks not ascending");
            check(number < block, "evledger: block not below this one");
            before = number;
            while (next < head_count_ && head(next) < number) put_integer(end, head(next++));
            if (next < head_count_ && head(next) == number) ++next;
        }
        while (next < head_count_) put_integer(end, head(next++));
        if (head_count_ == 0 || head(head_count_ - 1) != block) put_integer(end, block);
        heads_ = kept;
        head_count_ = (end - kept) / sizeof(uint32_t);
    }

    void add(uint64_t id, const uint8_t* digest) {
        check(id > floor_, "evledger: id at or below floor");
        // an id above the highest one cannot be there: the usual case, and it saves a search
        check(id > last_ || db_find_i64(self_, self_, RECORDS, id) < 0, "evledger: duplicate id");
        const Key key(digest);
        uint64_t holder = 0;
        check(db_idx256_find_secondary(self_, self_, RECORDS_BY_DIGEST, &key, KEY_WORDS, &holder) < 0,
              "evledger: duplicate digest");
        store(RECORDS, RECORDS_BY_DIGEST, id, digest, key);
        ++count_;
        if (id > last_) last_ = id;
    }

    void prune(uint64_t upto, uint32_t max) {
        check(upto <= last_, "evledger: upto above last id");
        check(max > 0, "evledger: max is zero");
        int32_t row = db_lowerbound_i64(self_, self_, RECORDS, 0);
        for (uint32_t erased = 0; row >= 0; ++erased) {
            uint64_t id = 0;
            db_get_i64(row, &id, sizeof(id));
            if (id > upto) break;
            if (erased == max) return;
            row = erase(row, id);
            floor_ = id;
        }
        if (upto > floor_) floor_ = upto;
    }

    void mark(uint64_t id, const uint8_t* mark) {
        check(db_find_i64(self_, self_, RECORDS, id) >= 0, "evledger: mark of no record");
        check(db_find_i64(self_, self_, MARKS, id) < 0, "evledger: duplicate mark");
        store(MARKS, MARKS_BY_MARK, id, mark, Key(mark));
    }

    void save() {
        uint8_t* const row = allocate(STATE_SIZE_MIN + head_count_ * sizeof(uint32_t));
        uint8_t* end = row;
        put_integer(end, floor_);
        put_integer(end, count_);
        put_integer(end, last_);
        put_integer(end, since_);
        put_varuint(end, head_count_);
        for (uint32_t i = 0; i < head_count_; ++i) put_integer(end, head(i));
        if (iterator_ < 0)
            db_store_i64(self_, STATE, self_, STATE, row, end - row);
        else
            db_update_i64(iterator_, self_, row, end - row);
    }

private:
    uint32_t head(uint32_t index) const {
        uint32_t number = 0;
        __builtin_memcpy(&number, heads_ + index * sizeof(number), sizeof(number));
        return number;
    }

    void store(uint64_t table, uint64_t index, uint64_t id, const uint8_t* hash, const Key& key) {
        Row row;
        row.id = id;
        __builtin_memcpy(row.hash, hash, DIGEST_SIZE);
        db_store_i64(self_, table, self_, id, &row, sizeof(row));
        db_idx256_store(self_, index, self_, id, &key, KEY_WORDS);
    }

    int32_t erase(int32_t row, uint64_t id) {  // returns the iterator of the next row
        uint8_t key[DIGEST_SIZE];
        db_idx256_remove(db_idx256_find_primary(self_, self_, RECORDS_BY_DIGEST, key, KEY_WORDS, id));
        uint64_t next_id = 0;
        const int32_t next = db_next_i64(row, &next_id);
        db_remove_i64(row);
        --count_;
        return next;
    }

    uint64_t self_;
    int32_t iterator_;
    uint64_t floor_ = 0;
    uint64_t count_ = 0;
    uint64_t last_ = 0;
    uint32_t since_ = 0;
    uint32_t head_count_ = 0;
    const uint8_t* heads_ = nullptr;  // packed, as in the row
};

void record(uint64_t self) {
    require_auth(self);
    Reader data = Reader::of_action();
    Ledger ledger(self);
    const uint32_t size = data.varuint();
    check(size > 0, "evledger: no records");
    Reader records = data;
    for (uint32_t i = 0; i < size; ++i) {
        data.take(sizeof(uint64_t) + DIGEST_SIZE);
        data.take(data.varuint());
    }
    ledger.link(data, data.at_end() ? 0 : data.varuint(), get_block_num());
    for (uint32_t i = 0; i < size; ++i) {
        const uint64_t id = records.integer<uint64_t>();
        const uint8_t* const digest = records.take(DIGEST_SIZE);
        records.take(records.varuint());  // sealed: kept by the block log, of no concern to the tables
        ledger.add(id, digest);
    }
    if (!data.at_end()) {
        const uint32_t marks = data.varuint();
        for (uint32_t i = 0; i < marks; ++i) {
            const uint64_t id = data.integer<uint64_t>();
            ledger.mark(id, data.take(DIGEST_SIZE));
        }
        data.finish();
    }
    ledger.save();
}

void prune(uint64_t self) {
    require_auth2(self, name("prune"));
    Reader data = Reader::of_action();
    const uint64_t upto = data.integer<uint64_t>();
    const uint32_t max = data.integer<uint32_t>();
    data.finish();
    Ledger ledger(self);
    ledger.prune(upto, max);
    ledger.save();
}

}  // namespace

extern "C" __attribute__((export_name("apply"))) void apply(uint64_t receiver, uint64_t code, uint64_t action) {
    if (code != receiver) return;  // a notification of somebody else's action: none of ours
    if (action == name("record"))
        record(receiver);
    else if (action == name("prune"))
        prune(receiver);
    else
        check(false, "evledger: unknown action");
}
