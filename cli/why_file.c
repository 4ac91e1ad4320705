/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/why_file.h"

#include "cli/evidence.h"
#include "cli/json.h"
#include "cli/lines.h"
#include "cli/place.h"
#include "cli/proof.h"

#include <jansson.h>
#include <kith/address.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAYS_TEXT   512
#define PACKETS_MAX (4 * KITH_POOL_MAX) /* evidence, and proofs beside it */

typedef struct place {
    uint8_t id[KITH_ID_SIZE];
    uint64_t arrival;
    char *ways;
} place;

struct why_file {
    place *places;
    size_t count, room;
    uint64_t line;
    bool asked, ended;
};

/* ---- writing ---- */

typedef struct writer {
    asking *a;
    FILE *to;
    size_t count;
    const kith_evidence *rows;
    size_t row_count;
    char ways[WAYS_TEXT];
    size_t used;
} writer;

static int see_way(void *ctx, const char *way) {
    writer *w = ctx;
    int n = snprintf(w->ways + w->used, sizeof w->ways - w->used, "%s%s",
        w->used == 0 ? "" : ",", *way == '\0' ? "own" : way);
    if (n < 0 || (size_t) n >= sizeof w->ways - w->used) return KITH_STOP;
    w->used += (size_t) n;
    return 0;
}

static json begin(const writer *w, const char *kind) {
    json j = js_to(w->to);
    js_begin(&j, '{');
    js_key(&j, "v");
    js_int(&j, 1);
    js_key(&j, "kind");
    js_text(&j, kind);
    return j;
}

static void end(const writer *w, json *j) {
    js_end(j, '}');
    fputc('\n', w->to);
}

static void write_packet(writer *w, const kith_packet *packet, uint64_t arrival) {
    json j = begin(w, "packet");
    w->used = 0;
    w->ways[0] = '\0';
    if (arrival > 0) (void) !kith_store_ways(w->a->store, arrival, see_way, w, NULL);
    js_key(&j, "arrival");
    js_count(&j, arrival);
    js_key(&j, "ways");
    js_text(&j, w->ways);
    js_key(&j, "packet");
    js_hex(&j, packet->bytes, packet->length);
    end(w, &j);
    w->count++;
}

static int write_stored(void *ctx, const kith_record *stored) {
    write_packet(ctx, &stored->packet, stored->arrival);
    return KITH_STOP;
}

/* The second of two, and the first where it is not among the rows. */
static bool write_proof(void *ctx, const proof *p) {
    writer *w = ctx;
    bool there = p->first.length == 0;
    for (size_t i = 0; i < w->row_count && !there; i++) {
        there = memcmp(w->rows[i].id, p->first_id, KITH_ID_SIZE) == 0;
    }
    if (!there) write_packet(w, &p->first, 0);
    write_packet(w, &p->packet, 0);
    return true;
}

static void write_question(const writer *w) {
    const kith_ask *ask = &w->a->ask;
    json j = begin(w, "why");
    js_key(&j, "subject");
    js_text(&j, ask->subject);
    js_key(&j, "now_us");
    js_big(&j, ask->now_us);
    js_key(&j, "half_life_us");
    js_big(&j, ask->half_life_us);
    js_key(&j, "method");
    js_int(&j, ask->pool.method);
    js_key(&j, "ci");
    js_int(&j, ask->pool.ci);
    js_key(&j, "plain");
    js_bool(&j, ask->pool.plain);
    js_key(&j, "quorum");
    js_int(&j, ask->pool.quorum);
    if (ask->self != NULL) {
        js_key(&j, "self");
        js_hex(&j, ask->self, KITH_KEY_SIZE);
    }
    if (ask->template_id != NULL) {
        js_key(&j, "template");
        js_hex(&j, ask->template_id, KITH_TEMPLATE_SIZE);
    }
    end(w, &j);
}

/* Every template that is known here: a packet of an unknown one is left out for that. */
static void write_templates(const writer *w) {
    const kith_template *t;
    for (size_t i = 0; (t = kith_templates_at(w->a->known, i)) != NULL; i++) {
        json j = begin(w, "template");
        js_key(&j, "text");
        js_text(&j, kith_template_text(t));
        end(w, &j);
    }
}

static int write_all(writer *w, kith_error *err) {
    int r = 0;
    write_question(w);
    write_templates(w);
    for (size_t i = 0; i < w->row_count && r >= 0; i++) {
        kith_query query = { .id = w->rows[i].id,
            .id_length = KITH_ID_SIZE,
            .with_expired = true,
            .with_retracted = true,
            .limit = 1 };
        r = kith_store_find(w->a->store, &query, write_stored, w, err);
    }
    if (r >= 0) r = each_proof(w->a->store, w->a->ask.subject, write_proof, w, err);
    if (r < 0) return r;
    json j = begin(w, "end");
    js_key(&j, "packets");
    js_int(&j, (int64_t) w->count);
    end(w, &j);
    return 0;
}

/* What nobody signed proves nothing to anybody, and a context is asked for by its own
 * template: neither is kept. */
static const char *cannot(const asking *a, const kith_evidence *rows, size_t count) {
    if (a->ask.near != NULL) return "the twins of one context";
    for (size_t i = 0; i < count; i++) {
        if (rows[i].is_unsigned) return "packets that nobody signed";
    }
    return NULL;
}

int why_file_write(asking *a, const char *path, const kith_evidence *rows, size_t count) {
    kith_error err = { 0 };
    const char *what = cannot(a, rows, count);
    if (what != NULL) {
        return fault_do(a->c->out, E_TOGETHER, "--write", "ask without them",
            "a file does not hold %s", what);
    }
    writer w = { .a = a, .to = fopen(path, "we"), .rows = rows, .row_count = count };
    if (w.to == NULL) return fault(a->c->out, E_OUTPUT, path, "%s", strerror(errno));
    int r = write_all(&w, &err);
    bool bad = fflush(w.to) != 0 || ferror(w.to) != 0 || fsync(fileno(w.to)) != 0;
    int why = errno;
    bad = fclose(w.to) != 0 || bad;
    if (r < 0) return store_fault(a->c, &err);
    return bad ? fault(a->c->out, E_OUTPUT, path, "%s", strerror(why)) : 0;
}

/* ---- reading ---- */

static bool whole(const json_t *value, int64_t *ret) {
    const char *text = json_string_value(value);
    char *stop;
    if (text == NULL || *text == '\0') return false;
    errno = 0;
    long long n = strtoll(text, &stop, 10);
    *ret = n;
    return errno == 0 && *stop == '\0';
}

static bool bytes(const json_t *value, uint8_t *ret, size_t size) {
    const char *text = json_string_value(value);
    size_t n = 0;
    return text != NULL && parse_hex(text, strlen(text), ret, size, &n) && n == size;
}

static bool small(const json_t *object, const char *key, int64_t most, int64_t *ret) {
    const json_t *value = json_object_get(object, key);
    *ret = json_integer_value(value);
    return json_is_integer(value) && *ret >= 0 && *ret <= most;
}

/* The question, in place of that on the command line. */
static bool take_question(asking *a, const json_t *o) {
    const char *subject = json_string_value(json_object_get(o, "subject"));
    const json_t *self = json_object_get(o, "self"), *kind = json_object_get(o, "template");
    int64_t method, ci, quorum;
    bool good = a->file->asked == false && subject != NULL && kith_subject_valid(subject) &&
                whole(json_object_get(o, "now_us"), &a->ask.now_us) &&
                whole(json_object_get(o, "half_life_us"), &a->ask.half_life_us) &&
                small(o, "method", KITH_POOL_REML, &method) &&
                small(o, "ci", KITH_CI_WALD, &ci) &&
                small(o, "quorum", KITH_POOL_MAX, &quorum) &&
                json_is_boolean(json_object_get(o, "plain")) &&
                (self == NULL || bytes(self, a->public_key, KITH_KEY_SIZE)) &&
                (kind == NULL || bytes(kind, a->template_id, KITH_TEMPLATE_SIZE)) &&
                a->ask.half_life_us >= 0 && a->ask.now_us >= 0;
    if (!good) return false;
    snprintf(a->subjects[0], sizeof a->subjects[0], "%s", subject);
    a->subject_count = 1;
    a->ask.self = self == NULL ? NULL : a->public_key;
    a->ask.template_id = kind == NULL ? NULL : a->template_id;
    a->ask.pool = (kith_pool_options){ .method = (kith_pool_method) method,
        .ci = (kith_pool_ci) ci,
        .plain = json_is_true(json_object_get(o, "plain")),
        .quorum = (uint32_t) quorum };
    a->file->asked = true;
    return true;
}

static bool keep_place(struct why_file *f, const place *one) {
    if (f->count == PACKETS_MAX) return false;
    if (f->count == f->room) {
        size_t room = f->room == 0 ? 64 : 2 * f->room;
        place *more = realloc(f->places, room * sizeof *more);
        if (more == NULL) return false;
        f->places = more;
        f->room = room;
    }
    f->places[f->count++] = *one;
    return true;
}

/* Verified as if a carrier had brought it at the time of the question. NULL, or why not. */
static const char *admit(asking *a, const kith_packet *packet, place *ret) {
    kith_content content;
    kith_arrival one = { .packet = *packet, .way = "file" };
    const kith_time then = { 1, a->ask.now_us };
    kith_error err = { 0 };
    int r = kith_packet_decode(packet->bytes, packet->length, &content);
    if (r == 0) r = kith_packet_verify(packet);
    if (r == 0) r = kith_packet_timely(&content, a->ask.now_us);
    if (r < 0) return kith_refusal_words(r);
    if (kith_store_admit(a->store, &one, 1, then, &err) < 0) return "no memory for it";
    if (one.result < 0 && one.result != KITH_R_EQUIVOCATION) {
        const char *words = kith_refusal_words(one.result);
        return words != NULL ? words : "it finds no room";
    }
    kith_packet_id(packet, ret->id);
    return NULL;
}

static const char *take_packet(asking *a, const json_t *o) {
    const char *hex = json_string_value(json_object_get(o, "packet"));
    const char *ways = json_string_value(json_object_get(o, "ways"));
    int64_t arrival;
    kith_packet packet;
    size_t length;
    place one = { .ways = NULL };
    if (!a->file->asked) return "a packet before the question";
    if (hex == NULL || ways == NULL || !whole(json_object_get(o, "arrival"), &arrival) ||
        !parse_hex(hex, strlen(hex), packet.bytes, sizeof packet.bytes, &length)) {
        return "no packet with its arrival and ways";
    }
    packet.length = (uint16_t) length;
    const char *why = admit(a, &packet, &one);
    if (why != NULL) return why;
    one.arrival = (uint64_t) arrival;
    one.ways = strdup(ways);
    return one.ways != NULL && keep_place(a->file, &one) ? NULL : "too many packets";
}

static const char *take_template(asking *a, const json_t *o) {
    const char *text = json_string_value(json_object_get(o, "text"));
    kith_template *t = NULL;
    kith_error err = { 0 };
    if (text == NULL || !a->file->asked) return "a template without its text or question";
    if (kith_template_parse(&t, text, strlen(text), &err) < 0) return "it is no template";
    int r = kith_templates_add(a->known, &t);
    return r < 0 || r == KITH_FULL ? "it finds no room" : NULL;
}

/* NULL, or what is wrong with the line. */
static const char *take_line(asking *a, const char *text, size_t length) {
    json_error_t bad;
    json_t *o = length > LINE_MAX_BYTES || memchr(text, '\0', length) != NULL
                    ? NULL
                    : json_loadb(text, length, JSON_REJECT_DUPLICATES, &bad);
    const char *kind = json_string_value(json_object_get(o, "kind"));
    const char *why = "it is no JSON object of such a file";
    if (kind != NULL && a->file->ended) {
        why = "something behind the end";
    } else if (kind != NULL && strcmp(kind, "why") == 0) {
        why = take_question(a, o) ? NULL : "the question makes no sense";
    } else if (kind != NULL && strcmp(kind, "packet") == 0) {
        why = take_packet(a, o);
    } else if (kind != NULL && strcmp(kind, "template") == 0) {
        why = take_template(a, o);
    } else if (kind != NULL && strcmp(kind, "end") == 0) {
        json_int_t n = json_integer_value(json_object_get(o, "packets"));
        a->file->ended = true;
        why = n == (json_int_t) a->file->count ? NULL : "packets are missing";
    }
    json_decref(o);
    return why;
}

static int read_all(asking *a, int fd, const char *path) {
    lines in;
    int got = 0, code = 0;
    if (!lines_init(&in, fd, LINE_MAX_BYTES)) return fault(a->c->out, E_MEMORY, path, NULL);
    while (code == 0 && (got = lines_read(&in)) > 0) {
        const char *text;
        size_t length;
        while (code == 0 && lines_next(&in, &text, &length)) {
            char about[40];
            a->file->line++;
            const char *why = take_line(a, text, length);
            snprintf(about, sizeof about, "line %llu", (unsigned long long) a->file->line);
            if (why != NULL) code = fault(a->c->out, E_ROW, about, "%s", why);
        }
    }
    lines_fini(&in);
    if (got < 0) return fault(a->c->out, E_INPUT, path, "%s", strerror(errno));
    if (code == 0 && !(a->file->asked && a->file->ended)) {
        code = fault(a->c->out, E_ROW, path, "its end is missing: the file was cut");
    }
    return code;
}

int why_file_open(asking *a, const char *path) {
    kith_error err = { 0 };
    a->file = calloc(1, sizeof *a->file);
    a->subjects = calloc(1, sizeof *a->subjects);
    if (a->file == NULL || a->subjects == NULL || kith_templates_new(&a->known) < 0) {
        return fault(a->c->out, E_MEMORY, path, NULL);
    }
    a->ask.templates = a->known;
    if (kith_store_open(&a->store, "memory:", &err) < 0) return store_fault(a->c, &err);
    bool plain = strcmp(path, "-") == 0;
    int fd = plain ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fault(a->c->out, E_INPUT, path, "%s", strerror(errno));
    int code = read_all(a, fd, path);
    if (!plain) close(fd);
    return code;
}

void why_file_close(asking *a) {
    for (size_t i = 0; a->file != NULL && i < a->file->count; i++) {
        free(a->file->places[i].ways);
    }
    if (a->file != NULL) free(a->file->places);
    free(a->file);
    free(a->subjects);
    kith_templates_free(&a->known);
    kith_store_close(&a->store);
}

void why_file_place(const struct why_file *file, const uint8_t id[KITH_ID_SIZE],
    uint64_t *ret_arrival, char *ret_ways, size_t size) {
    for (size_t i = 0; i < file->count; i++) {
        if (memcmp(file->places[i].id, id, KITH_ID_SIZE) != 0) continue;
        *ret_arrival = file->places[i].arrival;
        snprintf(ret_ways, size, "%s", file->places[i].ways);
        return;
    }
}
