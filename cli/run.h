/* SPDX-License-Identifier: Apache-2.0 */
/* cli/run.h - the parts of `kith run`: sources of signals, actions on answers, the
 * log. One thread; nothing blocks; every list has a bound. */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "cli/evidence.h"
#include "cli/lines.h"
#include "cli/place.h"

#include <kith/signal.h>

#include <sys/types.h>

#define WORDS_MAX 32

/* ---- run_log.c ---- */

enum {
    LOG_ERROR = 0,
    LOG_INFO = 1,
    LOG_DEBUG = 2,
};
typedef struct run_log {
    FILE *to;
    int level;
    bool json;
    char last[400]; /* repeats of a line are counted and told later */
    uint64_t repeats;
} run_log;
void log_init(run_log *l, const settings *s, const out *o);
void log_say(run_log *l, int level, const char *event, const char *fmt, ...)
    KITH_PRINTF(4, 5);
void log_end(run_log *l);

/* ---- run_child.c: a program without a shell ---- */

typedef struct child {
    pid_t pid; /* 0: none */
    int fd;    /* its stdout, or -1 */
} child;
/* Words by blanks; "double quotes" keep them together, and in them \" and \\ are
 * themselves. argv points into buffer. */
bool split_words(const char *text, char *buffer, size_t size, char *argv[WORDS_MAX + 1]);
/* NULL, or what is wrong with the words. */
const char *words_fault(const char *text);
/* Its stdin is what is in input (at most 4 KiB, so that writing cannot block), or
 * /dev/null; its stdout is ret->fd when `read_it`, else our stderr. 0, or errno. */
int child_start(child *ret, const char *program, const char *input, bool read_it);
/* true: it has ended; ret_status as waitpid. */
bool child_ended(child *c, int *ret_status);
void child_kill(child *c);

/* ---- run_source.c ---- */

typedef struct source {
    char name[40];
    signal_section section;
    kith_window window;
    const kith_template *template; /* NULL: the built-in one of its unit */
    uint16_t near[KITH_CONTEXT_MAX];
    bool has_near;
    child program;
    lines in;          /* of the program */
    uint64_t start_ns; /* when to start the program (again) */
    uint64_t bad;
} source;

typedef struct sources {
    source list[NAMED_MAX + 1];
    size_t count;
    lines in; /* stdin, shared */
    bool reads_stdin, stdin_ended;
    kith_post *posts; /* ready to be posted */
    size_t post_count;
    uint64_t posted, refused;
    const kith_templates *known;
} sources;
#define POSTS_MAX 64

/* What is wrong with a section as a whole, or NULL; *ret_key is the key to look at. */
const char *signal_fault(const signal_section *k, const char **ret_key);
const char *action_fault(const action_section *k, const char **ret_key);

/* 0, or an exit code. */
int sources_init(
    sources *s, const call *c, const settings *set, const kith_templates *known);
/* Takes over windows and programs of those that stay the same. */
void sources_adopt(sources *s, sources *old);
void sources_fini(sources *s);
/* Reads what is there, closes windows, posts. How much was done; < 0: the store
 * failed. */
int sources_turn(
    sources *s, run_log *l, kith_store *store, const kith_key *key, kith_time now);
/* The last, partial windows: what has `least` observations is posted. */
void sources_flush(
    sources *s, run_log *l, kith_store *store, const kith_key *key, kith_time now);
size_t sources_fds(const sources *s, int *ret, size_t max);
uint64_t sources_due(const sources *s, uint64_t now_ns);

/* ---- run_action.c ---- */

#define WATCHED_MAX 256

typedef struct action {
    char name[40];
    action_section section;
    child program;
    uint64_t kill_ns;
} action;

typedef struct watched {
    char subject[KITH_SUBJECT_MAX + 1];
    bool dirty, known;
    uint64_t due_ns;
    kith_answer last;
} watched;

typedef struct actions {
    action list[NAMED_MAX + 1];
    size_t count;
    watched subjects[WATCHED_MAX];
    size_t subject_count;
    uint64_t version, last_arrival, last_heard, acted;
    bool stdout_gone, pool_unsigned;
    uint8_t self[KITH_KEY_SIZE];
    const kith_templates *known;
} actions;

int actions_init(actions *a, const call *c, const settings *set, const kith_key *key);
void actions_fini(actions *a);
int actions_turn(actions *a, run_log *l, out *o, kith_store *store, kith_time now);
uint64_t actions_due(const actions *a, uint64_t now_ns);

#endif
