/* SPDX-License-Identifier: Apache-2.0 */
/* The demo: buildings in processes of their own, and a conductor that plays the
 * world to them. The conductor alone knows the truth. What a building gets is raw
 * readings, one number after the other; what it tells is what a node knows.
 *
 *   conductor ──readings──► building: window ─► leaf ─► store ─► dir, sqlite, zmq, udp
 *             ◄──reports───           answer ◄─ store ◄─────────┘
 */
#ifndef DEMO_DEMO_H
#define DEMO_DEMO_H

#include "cli/out.h"

#include <kith/node.h>

#include <sys/types.h>

#define DEMO_NODES_MAX 24
#define DEMO_SUBJECT   "hvac.compressor.bearing"
#define DEMO_PATH      600
#define WINDOW_COUNT   1500 /* readings in a leaf */
#define NOISE_SD       4.0
#define OFFSET_SD      0.06

/* Everything a building may know. */
typedef struct building {
    unsigned number;
    bool liar, relay;
    uint64_t seed; /* of its key */
    char store[DEMO_PATH];
    char links[4][DEMO_PATH + 16];
    size_t link_count;
} building;

/* What it says of itself, twice a second. */
typedef struct report {
    bool has_own, insufficient, has_shrunk;
    double own, own_se, low, high, mu;
    double shrunk, shrunk_low, shrunk_high;
    uint32_t k, flagged, capped;
    uint64_t in, out, readings;
    bool link_down;
} report;

/* The building's whole life; ends when the wire to the conductor is closed. */
int building_live(const building *b, int wire);

/* The conductor's view of one building. */
typedef struct cell {
    building is;
    const char *name;
    double offset; /* from the truth, hidden */
    pid_t pid;     /* -1: not running */
    int wire;
    report last;
    bool heard;
    unsigned windows;  /* given in full */
    uint64_t readings; /* given, over all its lives */
    uint64_t dice;
} cell;

typedef struct demo {
    out *out;
    uint64_t seed;
    double truth;
    unsigned count; /* of buildings, the liar among them: the last */
    int64_t for_ns;
    uint64_t begun_ns;
    char folder[DEMO_PATH], dir[DEMO_PATH], shared[DEMO_PATH];
    char dir_url[DEMO_PATH + 16], sqlite_url[DEMO_PATH + 16];
    char zmq_url[DEMO_PATH + 16]; /* "": this build has no such carrier */
    char udp_url[64]; /* "": no multicast on the loopback here, for this reason: */
    char udp_why[160];
    cell cells[DEMO_NODES_MAX];
    unsigned windows_due; /* every building has been given so many */
    char event[120];      /* what happened last */
    int painted;          /* lines on the screen */
    bool live;            /* the screen is painted anew: it can be, and is wide enough */
} demo;

/* What the stores say when all is over. */
typedef struct verdict {
    uint64_t packets, bytes, largest, readings;
    uint64_t lost, doubled;
    uint8_t by_dir[32], by_sqlite[32];
    bool equal; /* all digests, of nodes and carriers */
    double mu, low, high, narrower, ideal, liar_moved;
    uint32_t k;
    bool covered, liar_named, answered;
    unsigned nodes_covered, nodes_asked;
} verdict;

/* places.c: the folders, the wires that work here, and who gets which. */
bool demo_set_up(demo *d);

bool verdict_of(demo *d, verdict *ret, char *ret_why, size_t size);

void screen_paint(demo *d, double seconds);
void screen_tick(demo *d, double seconds);
void screen_say(demo *d, double seconds); /* the event, in one plain line */
void screen_note(demo *d);                /* which wire is not there, and why */
void screen_end(demo *d, const verdict *v);

#endif
