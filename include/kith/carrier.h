/* SPDX-License-Identifier: Apache-2.0 */
/* kith/carrier.h - the contract between the loop and anything that carries
 * packets. A carrier is one constant of type kith_carrier and nothing else; a
 * link is one opened instance of it.
 *
 * Rules for every carrier; src/carrier/suite_test.c and `kith conform` hold them
 * to it:
 *   1. One thread owns a link. No function blocks, save that close may take up
 *      to KITH_CLOSE_MAX_MS. What must block lives on a service thread inside.
 *   2. What pull hands out was posted by somebody, byte for byte, 1 to 512
 *      bytes. A carrier does not judge it: rubbish is the node's business.
 *   3. Packets may be lost and may be repeated. Only KITH_CAN_ORDER promises
 *      that first copies of one poster's packets come in the order posted.
 *   4. What a carrier loses for want of room it counts: KITH_GAP.
 *   5. 0 from post means taken, not safe. settle says up to which ticket all
 *      posts have reached level(). A failure in between is told by settle, once,
 *      and forgets every post behind the last settled one: the caller posts
 *      those again.
 *   6. An item that was pulled and not acked may come again after the next open.
 *      After an ack the cursor moves on.
 *   7. After any failure the link may still be closed.
 *   8. post and pull allocate nothing of ours.
 *   9. A carrier reads no clock, no environment and no store. Time comes with
 *      tick, cursors with rewind, small durable state through the host, and what the
 *      node has through its recall.
 * The core checks subjects and patterns before a carrier sees them, and filters
 * once more what it brings, so a pattern means the same on a carrier that can
 * only match prefixes, or nothing.
 */
#ifndef KITH_CARRIER_H
#define KITH_CARRIER_H

#include <kith/option.h>
#include <kith/packet.h>
#include <kith/time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KITH_CARRIER_ABI  1
#define KITH_CLOSE_MAX_MS 500
#define KITH_URL_MAX      1024 /* also bounds how deep wrappers nest */
#define KITH_PATTERNS_MAX 64   /* followed on one link at once */
#define KITH_CURSOR_MAX   64

typedef struct kith_link kith_link;

/* What a carrier can do beyond the rules above. What it cannot, the node
 * does for it. */
enum {
    KITH_CAN_REMOTE = 1u << 0,  /* leaves this machine */
    KITH_CAN_REPLAY = 1u << 1,  /* a late follower sees what was posted before */
    KITH_CAN_DURABLE = 1u << 2, /* rewind to a cursor goes on where it ended */
    KITH_CAN_ORDER = 1u << 3,   /* rule 3 */
    KITH_CAN_PREFIX = 1u << 4,  /* brings only what matches, or little more */
    KITH_CAN_TTL = 1u << 5,     /* expires packets by itself */
    KITH_CAN_DEDUPE = 1u << 6,  /* the same packet twice is kept once */
    KITH_CAN_QUERY = 1u << 7,   /* finds by nearness */
    KITH_CAN_SYNC = 1u << 8,    /* carries sync frames too */
    KITH_CAN_LEGACY = 1u << 10, /* carries packets of older programs where asked to */
    KITH_CAN_BEND = 1u << 9,    /* test only: loses and repeats on purpose */
};

/* What "settled" means here and now, as configured: the least that must die for
 * the packet to be gone. */
typedef enum kith_level {
    KITH_LEVEL_NONE = 0,    /* our own buffer */
    KITH_LEVEL_PROCESS = 1, /* another process, or the kernel */
    KITH_LEVEL_OS = 2,      /* survives kill -9, not a power cut */
    KITH_LEVEL_DISK = 3,    /* synced before the answer */
    KITH_LEVEL_REPLICATED = 4,
} kith_level;

/* "none", "process", "os", "disk", "replicated" */
KITH_API const char *kith_level_name(kith_level level);

enum {
    KITH_ITEM_PACKET = 1,
    KITH_ITEM_SYNC = 2, /* an opaque frame between nodes, kith/sync */
    /* Of an older program: the length of its topic in two bytes, topic, payload
     * (kith/legacy.h). Unsigned: kept apart from all that is signed (kith/heard.h). */
    KITH_ITEM_LEGACY = 3,
};

typedef struct kith_posting {
    uint8_t kind;    /* KITH_ITEM_* */
    uint16_t length; /* 1..KITH_PACKET_MAX */
    const uint8_t *bytes;
    const kith_address *to; /* packets; NULL for sync frames */
    int64_t expires_us;     /* by the wall; INT64_MAX: never */
    uint64_t ticket; /* the caller's number, rising; 0: nobody asks what became of it */
} kith_posting;

typedef struct kith_item {
    uint8_t kind;
    uint16_t length;
    uint64_t token;    /* for ack */
    kith_address from; /* the carrier's copy of the address; "" where it has none */
    uint8_t bytes[KITH_PACKET_MAX];
} kith_item;

/* Where reading begins. */
enum {
    KITH_FROM_START = 1, /* everything the carrier still has */
    KITH_FROM_NOW = 2,
    KITH_FROM_CURSOR = 3,
    KITH_FROM_TIME = 4, /* what came to the carrier at or after time_us */
};
typedef struct kith_position {
    uint8_t kind;
    uint8_t length; /* of the cursor */
    int64_t time_us;
    uint8_t cursor[KITH_CURSOR_MAX];
} kith_position;

typedef struct kith_counters {
    uint64_t posted, settled; /* packets taken; packets known at level() */
    uint64_t pulled;          /* handed to the caller */
    uint64_t lost;            /* on the way in, for want of room */
    uint64_t rubbish;         /* found and skipped: no packet, wrong name, too long */
    uint64_t filtered;        /* brought by the carrier, wanted by nobody */
    uint64_t failures;        /* of the medium or the server */
} kith_counters;

/* What the one who opens a link offers it. All members may be NULL. Functions
 * may be called from a service thread. */
typedef struct kith_host {
    void *ctx;
    uint8_t me[KITH_KEYID_SIZE]; /* whose link this is; zero: nobody's */
    const char *plugin_dir;      /* more kith-carrier-NAME.so; see kith_plugin_folder */
    int (*save)(void *ctx, const char *name, const void *bytes, size_t length);
    int (*load)(void *ctx, const char *name, void *ret, size_t size, size_t *ret_length);
    /* For a carrier that answers questions over its wire: what the node has, the newest
     * first, its own packets, with relay those of others, and unsigned ones. Pattern NULL:
     * of any subject. Until each says KITH_STOP. Only in the calls of the link's owner,
     * post excepted. */
    int (*recall)(void *ctx, const char *pattern,
        int (*each)(void *each_ctx, const kith_posting *what), void *each_ctx);
    /* For trace+ and for changes of state; the text has no newline. */
    void (*say)(void *ctx, const char *scheme, const char *text);
    /* A carrier of the program's own, chosen by its scheme; its open finds what it
     * needs at carrier_ctx. */
    const struct kith_carrier *carrier;
    void *carrier_ctx;
} kith_host;

typedef struct kith_carrier {
    uint32_t abi;        /* KITH_CARRIER_ABI; another number is refused */
    uint32_t can;        /* KITH_CAN_* */
    size_t state_size;   /* the core allocates self, zeroed, options filled in */
    const char *scheme;  /* "zmq": chosen by zmq://... */
    const char *summary; /* one line for `kith carriers` */
    const char *place;   /* what stands after "://", for help: "/path/file.db" */
    const kith_option *options;

    /* Connect or bind `place`, the part of the URL between "://" and "?", or for
     * a wrapper the whole URL after "+". host outlives the link. Fails when the
     * configuration makes no sense or the place is not there; on failure
     * everything is undone and close is not called. */
    int (*open)(void *self, const char *place, const kith_host *host, kith_error *err);
    void (*close)(void *self);

    /* KITH_FULL: try later. The bytes are copied; the caller keeps them. */
    int (*post)(void *self, const kith_posting *what);

    /* From now on bring at least what matches any of these. The whole set, each
     * time it changes; the strings live until the next call. Does not rewind. */
    int (*follow)(void *self, const char *const *patterns, size_t count);

    /* The next item, or KITH_EMPTY, or KITH_GAP. */
    int (*pull)(void *self, kith_item *ret_item);

    /* The rest may be NULL. */

    /* 0 and *ret_through: every post up to this ticket has reached level().
     * KITH_EMPTY: nothing new. < 0: rule 5; err says why. NULL: taken is settled. */
    int (*settle)(void *self, uint64_t *ret_through, kith_error *err);

    /* Called after the node's own commit, for what was pulled up to that token, in
     * the order it was pulled. NULL: nothing to acknowledge. */
    void (*ack)(void *self, uint64_t token);

    /* Begin reading there. E_NOTSUP where there is no such history. E_MISSING: this
     * medium never gave that cursor out: it is another stick, or was emptied; the
     * node then reads from the start and posts again what it has. So a cursor
     * names its medium. Before the first rewind a link reads from now on; while it
     * follows nothing it does not move. NULL: no history at all. */
    int (*rewind)(void *self, const kith_position *to);

    /* The place behind everything acked, or where it was rewound to. NULL: none. */
    void (*cursor)(void *self, kith_position *ret_position);

    /* A descriptor that is readable when pull or settle has something. NULL or
     * -1: the core must ask. */
    int (*wake_fd)(void *self);

    /* At least every 250 ms while the loop runs. */
    void (*tick)(void *self, kith_time now);

    /* NULL: KITH_LEVEL_NONE. */
    kith_level (*level)(void *self);

    void (*counters)(void *self, kith_counters *ret);

    /* 0: the medium is there. < 0: not now, and why. NULL: always there.
     * KITH_E_REPLACED: another one stands in its place. A link is bound to the medium
     * it was opened on, as its cursor and what it settled are: nothing more goes in or
     * out, and the node opens it anew. */
    int (*health)(void *self, kith_error *err);

    /* Wrappers: the link inside, borrowed; a member that is NULL is then the inner
     * link's. NULL: not a wrapper. */
    kith_link *(*inner)(void *self);

    /* New members go here, with a new ABI number. */
} kith_carrier;

/* Carriers that live in their own shared object, kith-carrier-NAME.so, export
 * this one symbol, a kith_carrier. */
#define KITH_CARRIER_SYMBOL "kith_carrier_v1"

/* Built-in carriers in the order `kith carriers` shows them; NULL at the end. */
KITH_API const kith_carrier *kith_carrier_at(size_t index);

/* Looks at a plugin without opening a link: checks the file's rights, ABI and
 * members. The handle keeps *ret_carrier valid until it is closed. */
typedef struct kith_plugin kith_plugin;
KITH_API KITH_MUST_USE int kith_plugin_open(
    kith_plugin **ret, const char *path, const kith_carrier **ret_carrier, kith_error *err);
KITH_API void kith_plugin_close(kith_plugin **plugin);

/* Where plugins are looked for behind the host's folder: "kith" among the libraries of
 * this installation, or the folder this was built in. false: no more. */
KITH_API bool kith_plugin_folder(size_t index, char ret[KITH_URL_MAX + 1]);

/* "nats://10.0.0.1:4222?stream=KITH". Wrappers are written in front, outermost
 * first: "breaker+nats://...", "fault+mem://bus?drop=10&seed=7"; an option goes
 * to the outermost that knows its name. An option nobody knows is refused. host
 * may be NULL. */
KITH_API KITH_MUST_USE int kith_link_open(
    kith_link **ret, const char *url, const kith_host *host, kith_error *err);

/* Closes, frees and clears *link; NULL is fine. */
KITH_API void kith_link_close(kith_link **link);

/* 0: taken; settle tells when it is safe. KITH_FULL: try later. E_ARG: not a
 * subject, or no room in 512 bytes. E_NOTSUP: a sync frame where none go. Whether
 * a link hears its own posts is the carrier's choice. */
KITH_API KITH_MUST_USE int kith_link_post(kith_link *link, const kith_posting *what);
KITH_API KITH_MUST_USE int kith_link_settle(
    kith_link *link, uint64_t *ret_through, kith_error *err);

/* `*` is any one token, a last `>` is one or more: "iot.*.>". Counted: whoever
 * follows twice must unfollow twice. E_ARG: not a pattern. KITH_FULL: more than
 * KITH_PATTERNS_MAX. Unfollow of what is not followed: E_MISSING. */
KITH_API KITH_MUST_USE int kith_link_follow(kith_link *link, const char *pattern);
KITH_API KITH_MUST_USE int kith_link_unfollow(kith_link *link, const char *pattern);

/* KITH_EMPTY: nothing now. KITH_GAP: some are missing here, the counter `lost`
 * says how many; pull again. E_FORMAT: the carrier brought something that is no
 * item; it is gone, counted as rubbish, pull again. An item without an address
 * is not filtered: the node does it after decoding. */
KITH_API KITH_MUST_USE int kith_link_pull(kith_link *link, kith_item *ret_item);
KITH_API void kith_link_ack(kith_link *link, uint64_t token);
KITH_API KITH_MUST_USE int kith_link_rewind(kith_link *link, const kith_position *to);
/* false: the carrier keeps no cursor, or has neither acked nor been rewound. */
KITH_API bool kith_link_cursor(kith_link *link, kith_position *ret_position);

KITH_API int kith_link_wake_fd(kith_link *link);
KITH_API void kith_link_tick(kith_link *link, kith_time now);

/* A wrapper adds its own KITH_CAN_* to those of what it wraps; level, cursor,
 * loss and health are those of the outermost that speaks of them. */
KITH_API uint32_t kith_link_can(const kith_link *link);
KITH_API kith_level kith_link_level(const kith_link *link);
KITH_API void kith_link_counters(const kith_link *link, kith_counters *ret);
KITH_API KITH_MUST_USE int kith_link_health(const kith_link *link, kith_error *err);
KITH_API const char *kith_link_scheme(const kith_link *link); /* of the innermost */

#ifdef __cplusplus
}
#endif
#endif
