/* SPDX-License-Identifier: Apache-2.0 */
/* pkt decode | lint | encode | size: packets without any store. */
#include "cli/evidence.h"
#include "cli/lines.h"
#include "cli/packets.h"
#include "cli/place.h"
#include "cli/templates.h"
#include "cli/verbs.h"

#include <kith/address.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct reading {
    const call *c;
    packet_view *view;
    int code;
} reading;

static int refusal_of(const kith_packet *packet) {
    kith_content content;
    int r = kith_packet_decode(packet->bytes, packet->length, &content);
    return r == 0 ? kith_packet_verify(packet) : r;
}

static bool decode_one(void *ctx, const kith_packet *packet, const char *about) {
    reading *k = ctx;
    record r = record_of("packet");
    if (!packet_record(&r, k->view, packet)) {
        k->code =
            fault(k->c->out, E_PACKET, about, "%s", kith_refusal_words(refusal_of(packet)));
        return true;
    }
    bool good = kith_packet_verify(packet) == 0;
    as_column(put_text(&r, "signature", good ? "good" : "bad"), 0);
    if (!out_emit(k->c->out, &r)) {
        k->code = EXIT_USAGE;
        return false;
    }
    if (!good) {
        k->code =
            fault(k->c->out, E_PACKET, about, "%s", kith_refusal_words(KITH_R_SIGNATURE));
    }
    return true;
}

static bool lint_one(void *ctx, const kith_packet *packet, const char *about) {
    reading *k = ctx;
    int refusal = refusal_of(packet);
    const char *rule = refusal == 0 ? NULL : kith_refusal_counter(refusal);
    record r = record_of("lint");
    as_column(put_text(&r, "where", about), 0);
    as_column(put_text(&r, "verdict", refusal == 0 ? "ok" : rule), 0);
    as_column(put_text(&r, "words", refusal == 0 ? NULL : kith_refusal_words(refusal)), 0);
    if (refusal != 0) k->code = EXIT_DATA;
    if (!out_emit(k->c->out, &r)) k->code = EXIT_USAGE;
    return k->code != EXIT_USAGE;
}

static int read_packets(const call *c, packet_each each) {
    const file_flags *f = c->flags;
    reading k = { .c = c, .view = calloc(1, sizeof *k.view) };
    if (k.view == NULL) return fault(c->out, E_MEMORY, "a packet", NULL);
    int code = each_packet(c, c->args[0], f->raw, each, &k);
    free(k.view);
    return k.code != 0 ? k.code : code;
}

int verb_pkt_decode(const call *c) {
    return read_packets(c, decode_one);
}

int verb_pkt_lint(const call *c) {
    return read_packets(c, lint_one);
}

/* ---- encode and size ---- */

typedef int (*content_each)(const call *c, void *ctx, kith_content *content);

static int told_bad(const call *c, int bad, const char *about, const char *why) {
    return fault(c->out, (fault_id) bad, about, "%s", why);
}

static int each_line(const call *c, content_each each, void *ctx) {
    lines in;
    int code = 0, r = 0;
    unsigned long long row = 0;
    if (!lines_init(&in, STDIN_FILENO, LINE_MAX_BYTES)) {
        return fault(c->out, E_MEMORY, "lines", NULL);
    }
    while ((r = lines_read(&in)) > 0) {
        const char *text;
        size_t length;
        while (lines_next(&in, &text, &length)) {
            post_flags flags = *(const post_flags *) c->flags;
            uint64_t given = c->given;
            char why[WHY_MAX] = "", about[40];
            kith_content content;
            snprintf(about, sizeof about, "line %llu", ++row);
            if (length == 0) continue;
            int bad = evidence_line(text, length, &flags, &given, why);
            if (bad == 0) {
                bad = evidence_content(
                    &flags, given, c->args[0], kith_time_now().wall_us, &content, why);
            }
            int one = bad != 0 ? told_bad(c, bad == E_TOGETHER ? E_LINE : bad, about, why)
                               : each(c, ctx, &content);
            if (one != 0) code = one;
        }
    }
    lines_fini(&in);
    return r < 0 ? fault(c->out, E_INPUT, "stdin", "%s", strerror(errno)) : code;
}

static int each_content(const call *c, content_each each, void *ctx) {
    kith_content content;
    char why[WHY_MAX] = "";
    const char *subject = c->args[0], *bad_subject = kith_subject_fault(subject, false);
    if (bad_subject != NULL) return told_bad(c, E_SUBJECT, subject, bad_subject);
    if (c->arg_count > 1) {
        if (strcmp(c->args[1], "-") == 0) return each_line(c, each, ctx);
        return fault(c->out, E_ARGUMENT, c->args[1], "only - may stand there");
    }
    int bad = evidence_content(
        c->flags, c->given, subject, kith_time_now().wall_us, &content, why);
    return bad != 0 ? told_bad(c, bad, subject, why) : each(c, ctx, &content);
}

static int encode_one(const call *c, void *ctx, kith_content *content) {
    kith_packet packet;
    uint8_t id[KITH_ID_SIZE];
    char why[WHY_MAX];
    content->epoch = 1;
    int r = kith_packet_seal(content, ctx, &packet);
    if (r < 0) {
        int bad = refusal_fault(r, content, why);
        return told_bad(c, bad, content->address.subject, why);
    }
    kith_packet_id(&packet, id);
    record row = record_of("encoded");
    as_column(put_hex(&row, "packet", packet.bytes, packet.length), 0);
    put_hex(&row, "id", id, sizeof id);
    put_int(&row, "bytes", packet.length);
    return out_emit(c->out, &row) ? 0 : EXIT_USAGE;
}

int verb_pkt_encode(const call *c) {
    kith_key *key = NULL;
    kith_templates *known = NULL;
    int code = open_key(c, &key);
    if (code == 0) code = templates_for_post(c, &known);
    if (code == 0) code = each_content(c, encode_one, key);
    kith_templates_free(&known);
    kith_key_free(&key);
    return code;
}

static int size_one(const call *c, void *ctx, kith_content *content) {
    kith_field fields[KITH_FIELDS_MAX];
    size_t total = 0;
    (void) ctx;
    content->epoch = 1;
    size_t count = kith_packet_fields(content, fields, KITH_FIELDS_MAX, &total);
    for (size_t i = 0; i <= count; i++) {
        record r = record_of("size");
        as_column(put_text(&r, "field", i < count ? fields[i].name : "total"), 0);
        as_column(put_int(&r, "bytes", i < count ? fields[i].size : (int64_t) total), 0);
        put_int(&r, "offset", i < count ? fields[i].offset : 0);
        if (!out_emit(c->out, &r)) return EXIT_USAGE;
    }
    if (total > KITH_PACKET_MAX) {
        return fault(c->out, E_ROOM, content->address.subject, "it takes %zu bytes", total);
    }
    return 0;
}

int verb_pkt_size(const call *c) {
    kith_templates *known = NULL;
    int code = templates_for_post(c, &known);
    if (code == 0) code = each_content(c, size_one, NULL);
    kith_templates_free(&known);
    return code;
}
