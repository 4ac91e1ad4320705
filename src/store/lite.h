/* SPDX-License-Identifier: Apache-2.0 */
/* store/lite.h - the parts of the sqlite engine, for each other only.
 *
 *   lite.c         open, close; the engine's table
 *   lite_place.c   what lies where a store is named, and whether it may be changed
 *   lite_open.c    the database behind the lock: log, damage, epoch; reopen
 *   lite_db.c      one SQLite handle: settings, schema, statements
 *   lite_migrate.c from an older schema to ours
 *   lite_lock.c    processes take turns
 *   lite_commit.c  posters meet: one of them commits for all who wait
 *   lite_write.c   what a commit does: post, admit
 *   lite_source.c  sources, their sequences
 *   lite_room.c    the bound: expiry, eviction
 *   lite_heard.c   unsigned packets, in a table of their own
 *   lite_ask.c     readers, and what all questions share
 *   lite_find.c    questions; lite_latest.c, lite_outbox.c: those of pooling, of carriers
 *   lite_state.c   small state, stats, check, backup
 *   lite_ledger.c  accounts of privacy
 *   log.c          the log before SQLite sees it: whole, cut off or damaged
 *   damage.c       pages as they lie there; copies
 *   salvage.c      packets out of damaged files
 */
#ifndef STORE_LITE_H
#define STORE_LITE_H

#include "store/engine.h"
#include "store/epoch.h"
#include "store/facts.h"
#include "store/leaf.h"

#include <pthread.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdatomic.h>

#define LITE_PATH        1024
#define LITE_OWN_MAX     8    /* keys that post through one handle */
#define LITE_IDLE_MAX    8    /* readers kept open */
#define LITE_CACHE_SLOTS 4096 /* names whose numbers are remembered, a power of 2 */
#define LITE_QUICK_PAGES 2048 /* 8 MiB: looked through at each open */
#define LITE_PENDING_MAX 64   /* states that wait for the next commit */

/* ---- lite_db.c ---- */

typedef enum lite_sql {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_DATA_VERSION,
    SQL_META_GET,
    SQL_META_SET,
    SQL_LAST,
    SQL_PKT_ADD,
    SQL_PKT_AT,
    SQL_PKT_BY_ID,
    SQL_PKT_RETRACT,
    SQL_SRC_GET,
    SQL_SRC_ADD,
    SQL_SRC_OWN,
    SQL_SRC_TOP,
    SQL_CARRIER_GET,
    SQL_CARRIER_ADD,
    SQL_CARRIER_NAME,
    SQL_CARRIER_COUNT,
    SQL_CARRIER_PRUNE,
    SQL_WAY_ADD,
    SQL_WAYS,
    SQL_PROOFS,
    SQL_GONE_GET,
    SQL_GONE_ADD,
    SQL_PROOF_ADD,
    SQL_STATE_GET,
    SQL_STATE_SET,
    SQL_STATE_DELETE,
    SQL_STATE_KEEP,
    SQL_STATE_RANGE,
    SQL_PAGES,
    SQL_FREE_PAGES,
    SQL_EXPIRED,
    SQL_EVICTABLE,
    SQL_PKT_DELETE,
    SQL_WAY_DELETE,
    SQL_GONE_PRUNE,
    SQL_PROOF_PRUNE,
    SQL_SRC_PRUNE,
    SQL_SRC_LAST,
    SQL_SCAN_UP,
    SQL_SCAN_DOWN,
    SQL_SUBJECT_UP,
    SQL_SUBJECT_DOWN,
    SQL_RANGE,
    SQL_RANGE_ALL,
    SQL_NEXT_SUBJECT,
    SQL_SUBJECT_IDS,
    SQL_SUBJECT_SLOTS,
    SQL_OUT_OWN,
    SQL_OUT_RELAY,
    SQL_COUNTS,
    SQL_COUNT_OWN,
    SQL_COUNT_GONE,
    SQL_FIRST,
    SQL_SUBJECTS,
    SQL_TOP_EPOCH,
    SQL_MIN_EXP,
    SQL_KNOWS,
    SQL_ID_PREFIX,
    SQL_READ_BEGIN,
    SQL_HEARD_ADD,
    SQL_HEARD_DELETE,
    SQL_HEARD_COUNT,
    SQL_HEARD_UP,
    SQL_HEARD_DOWN,
    SQL_HEARD_SUBJECT_UP,
    SQL_HEARD_SUBJECT_DOWN,
    SQL_HEARD_ID_UP,
    SQL_HEARD_ID_DOWN,
    SQL_MAX,
} lite_sql;

typedef struct lite_db {
    sqlite3 *sql;
    int64_t version; /* of its schema */
    sqlite3_stmt *st[SQL_MAX];
    struct lite_db *next; /* in the pool */
    uint64_t era;
} lite_db;

enum {
    META_FLOOR = 1, /* arrivals up to here have been used */
    META_GENERATION = 2,
};

/* Read from page one, and the same in SQL. */
#define SCHEMA_VERSION 3
#define SCHEMA_HEARD   3          /* since when there is a table of unsigned packets */
#define APPLICATION_ID 0x6b697468 /* "kith" */

typedef enum lite_access {
    LITE_READS,  /* beside whoever writes */
    LITE_WRITES, /* makes the tables of a database that is empty */
    LITE_LOOKS,  /* what may not be changed; nothing is made beside it */
} lite_access;

/* E_DENIED: not a store. E_NOTSUP: of a newer kith; not a byte was changed. An older
 * one is opened as it is. */
int ki_lite_db_open(lite_db *db, const char *path, int64_t cache_bytes, lite_access access,
    kith_error *err);
/* One transaction up to our schema: it is there whole, or the old one is. Nobody else
 * may have it open. */
int ki_lite_migrate(lite_db *db, kith_error *err);
void ki_lite_db_close(lite_db *db);
/* Prepared once, reset and ready to bind. NULL: out of memory or damage. */
sqlite3_stmt *ki_lite_sql(lite_db *db, lite_sql which);
/* Runs a statement that gives no rows, or one number. An SQLite code. */
int ki_lite_do(lite_db *db, lite_sql which);
int ki_lite_number(lite_db *db, lite_sql which, int64_t *ret);
/* An SQLite code as one of ours, with its words. */
int ki_lite_fail(lite_db *db, int rc, const char *what, kith_error *err);
int ki_lite_code(int rc);

/* ---- lite_lock.c ---- */

/* Waits its turn among all processes, at most about five seconds; KITH_E_BUSY. */
int ki_lite_turn(int fd, kith_error *err);
void ki_lite_turn_over(int fd);
/* While open, each process holds the file; alone: nobody else does. */
int ki_lite_hold(int fd, bool *ret_alone, kith_error *err);
void ki_lite_share(int fd);
/* Does a process that may write have it open? For one who may not even lock. */
bool ki_lite_is_held(const char *lock_path);
/* Has anybody else got it open, in this process or another? */
bool ki_lite_others(int fd);
bool ki_lite_salvage_lock(int fd);
void ki_lite_salvage_unlock(int fd);

/* ---- names to numbers, remembered while nobody else commits ---- */

typedef struct lite_name {
    int64_t number; /* 0: empty */
    bool own;
    uint8_t bytes[32];
} lite_name;

/* A key that posts here. next..end are reserved in the database and unused. */
typedef struct lite_own {
    bool used;
    uint8_t key[KITH_KEY_SIZE];
    int64_t src;
    uint64_t epoch, next, end;
    uint64_t stored_epoch, stored_next; /* the row as committed */
    uint64_t row_epoch, row_next;       /* the row inside this transaction */
    bool dirty;
    uint64_t new_start, new_end; /* reserved in this transaction */
    uint64_t block;              /* changes when what was reserved is void */
} lite_own;

typedef struct lite_pending {
    struct lite_pending *next;
    size_t length;
    char name[KITH_STATE_NAME_MAX + 1];
    uint8_t bytes[]; /* length */
} lite_pending;

/* ---- the engine ---- */

typedef struct lite_job lite_job;

typedef struct lite {
    char path[LITE_PATH], lock_path[LITE_PATH], epoch_path[LITE_PATH];
    struct {
        int64_t max_bytes, cache;
    } options;
    int lock_fd;
    _Atomic int wake_fd; /* -1 until somebody asks for it */
    bool looks;          /* nothing here may be changed: there is no writer and no lock */

    /* Guards the queue and who leads. */
    pthread_mutex_t lock;
    lite_job *head, **tail;
    bool leading;
    size_t waiting;

    /* The leader's alone. */
    lite_db writer;
    bool writer_open;
    uint64_t device, inode, generation;
    int64_t data_version;
    lite_name *sources;
    uint64_t last_arrival;
    int64_t swept;     /* sources looked at by prune */
    int64_t ways_kept; /* names of carriers that the last sweep left */
    int log_frames, log_frames_tried;
    int64_t checkpointed_us; /* when last, by the poster's clock */
    int64_t room_left;       /* bytes, by a cautious guess; < 0: measure */
    bool must_reopen;        /* a failed write or sync: this handle is finished */

    /* Guards own and pending. Short; may be taken by the leader. */
    pthread_mutex_t own_lock;
    lite_own own[LITE_OWN_MAX];
    bool running;
    uint64_t epoch;
    lite_pending *pending, *flushing; /* flushing: in the leader's transaction */
    size_t pending_count;

    /* Guards the readers. */
    pthread_mutex_t pool_lock;
    lite_db *idle;
    size_t idle_count;
    lite_db watch;
    bool watch_open;
    uint64_t version_base;

    _Atomic uint64_t heard_evicted;
    _Atomic uint64_t evicted, refused_full, duplicates, equivocations, commits, shared;
    _Atomic uint64_t era;  /* readers of an older one are closed, not kept */
    _Atomic uint64_t file; /* the inode that is open */
    _Atomic uint64_t life; /* of the store, as accounts of privacy see it */
    _Atomic bool damaged;  /* found by a reader: the next leader looks after it */

    /* Guards what stats say of health. */
    pthread_mutex_t health_lock;
    bool quarantined, degraded;
    char why[160], quarantine[LITE_PATH];

    pthread_t salvager;
    bool salvager_started;
    _Atomic bool salvaging, closing;
    _Atomic uint64_t salvaged;
} lite;

/* ---- lite_commit.c ---- */

/* One call's share of a commit. run is called by the leader inside a transaction,
 * perhaps again in another one, and says an SQLite code or one of ours (< 0,
 * which ends this job alone and must have changed nothing). */
struct lite_job {
    int (*run)(lite *s, lite_job *job);
    void *arg;
    const kith_key *key;
    size_t count; /* rows it will add: for the bound */
    int64_t now_us;
    uint64_t block; /* posts that are sealed already: of this block; else 0 */
    uint64_t epoch;
    int failed; /* of run, < 0 */
    int result;
    kith_error err;
    bool lead; /* woken to lead, not because it is done */
    sem_t turn;
    lite_job *next;
};
int ki_lite_commit(lite *s, lite_job *job, kith_error *err);

/* ---- lite_source.c ---- */

int ki_lite_source(lite *s, const uint8_t key[32], int64_t *ret, bool *ret_own);
/* pkt.slot: which template, and which kind of evidence (0 to 3). */
int64_t ki_lite_slot(const uint8_t template_id[KITH_TEMPLATE_SIZE], int kind);
int ki_lite_carrier(lite *s, const char *way, int64_t *ret);
void ki_lite_forget_sources(lite *s);
void ki_lite_forget(lite *s); /* after a rollback, or somebody else's commit */
/* Sequences without a transaction, from what is reserved. false: there are none. */
bool ki_lite_take(lite *s, const uint8_t key[32], size_t count, uint64_t *ret_epoch,
    uint64_t *ret_seq, uint64_t *ret_block);
/* Inside a transaction: the row of a key that posts; it is made if need be. */
int ki_lite_own(lite *s, const uint8_t key[32], lite_own **ret);
uint64_t ki_lite_own_fresh(lite *s, lite_own *own, size_t count);
/* A packet of our own key that we did not know: from another life. */
int ki_lite_own_seen(lite *s, const ki_facts *facts);
/* Our numbers are known to somebody: go to an epoch beyond. */
void ki_lite_own_leap(lite *s, lite_own *own, uint64_t beyond_epoch);
/* Before and after COMMIT: reserve ahead, then believe it. */
int ki_lite_reserve(lite *s);
void ki_lite_reserved(lite *s, bool committed);

/* ---- lite_write.c ---- */

int ki_lite_post(void *self, const kith_key *key, kith_post *posts, size_t count,
    kith_time now, kith_error *err);
int ki_lite_admit(
    void *self, kith_arrival *arrivals, size_t count, kith_time now, kith_error *err);

/* Packets out of a damaged file, verified; those that are here already count not. */
int ki_lite_bring_back(lite *s, const ki_leaf_row *rows, size_t count, uint64_t *ret_back);

/* ---- lite_room.c ---- */

/* Inside a transaction: makes room for count rows. KITH_E_SPACE, or SQLite's. */
int ki_lite_room(lite *s, size_t count, int64_t now_us);
int ki_lite_prune(void *self, int64_t now_us, uint32_t at_most, kith_error *err);

/* As above, for unsigned ones: nothing signed that lives is given up for them. */
int ki_lite_room_heard(lite *s, size_t count, int64_t now_us);

/* ---- lite_heard.c ---- */

extern const char ki_lite_heard_schema[];
int ki_lite_hear(
    void *self, kith_heard *list, size_t count, kith_time now, kith_error *err);
int ki_lite_heard(
    void *self, const kith_query *query, kith_each_heard each, void *ctx, kith_error *err);
/* Inside a transaction: those that expire by then go, the soonest first. */
int ki_lite_heard_remove(lite *s, int64_t until_us, uint32_t at_most, uint32_t *ret_count);
/* What is wrong with the first bad row, or NULL. */
const char *ki_lite_heard_fault(lite_db *db, int *ret_rc);

/* ---- lite_ask.c, lite_find.c, lite_latest.c, lite_outbox.c, lite_state.c ---- */

int ki_lite_reader(lite *s, lite_db **ret, kith_error *err);
void ki_lite_reader_back(lite *s, lite_db *db, int rc);
int ki_lite_knows(void *self, const kith_content *content, const uint8_t id[KITH_ID_SIZE]);
int ki_lite_find(
    void *self, const kith_query *query, kith_each each, void *ctx, kith_error *err);
int ki_lite_latest(void *self, const char *pattern, int64_t now_us, kith_each each,
    void *ctx, kith_error *err);
int ki_lite_outbox(
    void *self, const ki_outbox *what, kith_each each, void *ctx, kith_error *err);
int ki_lite_proofs(void *self, kith_each each, void *ctx, kith_error *err);
int ki_lite_ways(void *self, uint64_t arrival, int (*each)(void *ctx, const char *way),
    void *ctx, kith_error *err);
int ki_lite_ride(lite *s, kith_error *err); /* commits what waits, if anything */
int ki_lite_save(void *self, const ki_saved *what, kith_error *err);
int ki_lite_load(void *self, const char *name, void *ret, size_t size, size_t *ret_length);
int ki_lite_flush_pending(lite *s);
void ki_lite_pending_done(lite *s, bool committed);
int ki_lite_stats(void *self, kith_store_stat *ret, kith_error *err);
int ki_lite_head(void *self, uint64_t *ret_last, uint64_t *ret_evicted, kith_error *err);
int ki_lite_backup(void *self, const char *path, kith_error *err);

/* ---- lite_ledger.c ---- */

/* The epoch was settled: rows of another life are locked. */
void ki_lite_ledger_born(lite *s, uint64_t generation, uint64_t epoch);
int ki_lite_ledger(void *self, const ki_ledger_op *op, kith_account *ret, kith_error *err);
int ki_lite_ledger_each(void *self, int64_t now_us,
    int (*each)(void *ctx, const kith_account *account), void *ctx, kith_error *err);
/* A state out of a damaged file. false: it is none of the ledger's. */
bool ki_lite_ledger_back(lite *s, const char *name, const void *bytes, size_t length);

/* ---- salvage.c ---- */

int ki_lite_aside_log(lite *s, kith_error *err);
int ki_lite_quarantine(lite *s, kith_error *err);
/* The first file set aside that nobody has read again yet. */
bool ki_lite_salvage_waits(const char *path, char ret[LITE_PATH + 64]);
void ki_lite_salvage(lite *s);
void ki_lite_salvage_stop(lite *s);

/* ---- check.c ---- */

int ki_lite_check(const char *place, const char *query, kith_error *err);

/* ---- lite_place.c ---- */

/* Where a URL's place is: the folder's true name, the file's own. */
int ki_lite_resolve(const char *place, char ret[LITE_PATH], kith_error *err);
/* Before anything is opened or made: is it a store of ours, or nothing yet? What it
 * refuses stays as it is. */
int ki_lite_peek(const char *path, kith_error *err);
/* Is there a store, and may this process not change it and what is beside it? */
bool ki_lite_may_only_look(const char *path);
int ki_lite_refuse_network(const char *path, kith_error *err);
int ki_lite_refuse_change(kith_error *err);

/* ---- lite_open.c ---- */

int ki_lite_open(lite *s, kith_error *err); /* with the turn */
int ki_lite_watch(lite *s, int wake_fd);    /* lets it look at the lock file */
/* Wakes all who watch the lock file. */
void ki_lite_wake(const lite *s);
void ki_lite_shut(lite *s);
/* Leader only: closes everything, looks for damage, opens again. */
int ki_lite_reopen(lite *s, kith_error *err);
void ki_lite_health(lite *s, bool degraded, const char *why);

#endif
