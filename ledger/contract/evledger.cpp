// evledger: the ledger contract of EVPortal for EOS.IO / Antelope chains.
//
// Written without the CDT: a freestanding WebAssembly module that imports nodeos' intrinsics by name, so that Debian's
// clang and lld build it and anyone can rebuild the same bytes (build.sh --check).
//
// Actions
//   record(rec[] records), rec{uint64 id; checksum256 digest; bytes sealed}
//       needs the authority of the contract's account; `linkauth` lets the permission `record` do this and nothing else.
//       Keeps a row {id, digest} for each record. `sealed` stays in the block log only and costs no RAM.
//       Ids need not come in order. An id at or below the floor, an id or a digest that is there already, truncated data
//       or trailing bytes abort the action as a whole.
//   prune(uint64 upto, uint32 max)
//       needs exactly account@active. Erases at most `max` rows with id <= upto, lowest first, and raises the floor: to
//       `upto` when none of them is left, else to the last id erased. Nothing at or below the floor is accepted again, also
//       an id that was never used: prune only what is wholly recorded. `upto` may not exceed `last`, or one slip of the
//       hand would close the ledger for ever.
//
// Tables, scope = account
//   records{uint64 id; checksum256 digest}               primary id; secondary index 2 on digest (key_type sha256)
//   state{uint64 floor; uint64 count; uint64 last}       one row: floor, rows present, highest id ever recorded (0 = none)

using uint8_t = unsigned char;
using uint32_t = unsigned int;
using uint64_t = unsigned long long;
using int32_t = int;

#define INTRINSIC(name) __attribute__((import_module("env"), import_name(#name)))

extern "C" {
INTRINSIC(eosio_assert) void eosio_assert(uint32_t condition, const char* message);
INTRINSIC(require_auth) void require_auth(uint64_t account);
INTRINSIC(require_auth2) void require_auth2(uint64_t account, uint64_t permission);
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
constexpr uint64_t STATE = name("state");
constexpr uint32_t DIGEST_SIZE = 32;
constexpr uint32_t KEY_WORDS = 2;  // an idx256 key counts in 128-bit words
constexpr uint32_t PAGE_SIZE = 65536;

void check(bool condition, const char* message) {
    if (!condition) eosio_assert(0, message);
}

struct Row {
    uint64_t id;
    uint8_t digest[DIGEST_SIZE];
};
static_assert(sizeof(Row) == 40, "a row is packed as the ABI says");

struct State {
    uint64_t floor;
    uint64_t count;
    uint64_t last;
};
static_assert(sizeof(State) == 24, "the state is packed as the ABI says");

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

// The packed arguments of the action, read once and never beyond their end.
class Reader {
public:
    Reader() {
        const uint32_t size = action_data_size();
        uint8_t* const buffer = &__heap_base;
        const uint32_t needed = (reinterpret_cast<uint32_t>(buffer) + size + PAGE_SIZE - 1) / PAGE_SIZE;
        const uint32_t present = __builtin_wasm_memory_size(0);
        if (needed > present)
            check(__builtin_wasm_memory_grow(0, needed - present) != static_cast<uint32_t>(-1), "evledger: data too large");
        read_action_data(buffer, size);
        position_ = buffer;
        end_ = buffer + size;
    }

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

    void finish() const { check(position_ == end_, "evledger: trailing bytes"); }

private:
    const uint8_t* position_;
    const uint8_t* end_;
};

class Ledger {
public:
    explicit Ledger(uint64_t self) : self_(self), iterator_(db_find_i64(self, self, STATE, STATE)) {
        if (iterator_ >= 0) db_get_i64(iterator_, &state_, sizeof(state_));
    }

    void add(uint64_t id, const uint8_t* digest) {
        check(id > state_.floor, "evledger: id at or below floor");
        // an id above the highest one cannot be there: the usual case, and it saves a search
        check(id > state_.last || db_find_i64(self_, self_, RECORDS, id) < 0, "evledger: duplicate id");
        const Key key(digest);
        uint64_t holder = 0;
        check(db_idx256_find_secondary(self_, self_, RECORDS_BY_DIGEST, &key, KEY_WORDS, &holder) < 0,
              "evledger: duplicate digest");
        Row row;
        row.id = id;
        __builtin_memcpy(row.digest, digest, DIGEST_SIZE);
        db_store_i64(self_, RECORDS, self_, id, &row, sizeof(row));
        db_idx256_store(self_, RECORDS_BY_DIGEST, self_, id, &key, KEY_WORDS);
        ++state_.count;
        if (id > state_.last) state_.last = id;
    }

    void prune(uint64_t upto, uint32_t max) {
        check(upto <= state_.last, "evledger: upto above last id");
        check(max > 0, "evledger: max is zero");
        int32_t row = db_lowerbound_i64(self_, self_, RECORDS, 0);
        for (uint32_t erased = 0; row >= 0; ++erased) {
            uint64_t id = 0;
            db_get_i64(row, &id, sizeof(id));
            if (id > upto) break;
            if (erased == max) return;
            row = erase(row, id);
            state_.floor = id;
        }
        if (upto > state_.floor) state_.floor = upto;
    }

    void save() {
        if (iterator_ < 0)
            db_store_i64(self_, STATE, self_, STATE, &state_, sizeof(state_));
        else
            db_update_i64(iterator_, self_, &state_, sizeof(state_));
    }

private:
    int32_t erase(int32_t row, uint64_t id) {  // returns the iterator of the next row
        uint8_t key[DIGEST_SIZE];
        db_idx256_remove(db_idx256_find_primary(self_, self_, RECORDS_BY_DIGEST, key, KEY_WORDS, id));
        uint64_t next_id = 0;
        const int32_t next = db_next_i64(row, &next_id);
        db_remove_i64(row);
        --state_.count;
        return next;
    }

    uint64_t self_;
    int32_t iterator_;
    State state_ = {0, 0, 0};
};

void record(uint64_t self) {
    require_auth(self);
    Reader data;
    Ledger ledger(self);
    const uint32_t size = data.varuint();
    check(size > 0, "evledger: no records");
    for (uint32_t i = 0; i < size; ++i) {
        const uint64_t id = data.integer<uint64_t>();
        const uint8_t* const digest = data.take(DIGEST_SIZE);
        data.take(data.varuint());  // sealed: kept by the block log, of no concern to the tables
        ledger.add(id, digest);
    }
    data.finish();
    ledger.save();
}

void prune(uint64_t self) {
    require_auth2(self, name("active"));
    Reader data;
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
