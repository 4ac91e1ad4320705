/* SPDX-License-Identifier: Apache-2.0 */
/* store stat | check | export | import | prune | backup. */
#include "cli/packets.h"
#include "cli/place.h"
#include "cli/verbs.h"

#include <kith/address.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void put_stat(record *r, const kith_store_stat *s) {
    put_text(r, "engine", s->engine);
    put_count(r, "packets", s->packets);
    put_count(r, "own", s->own);
    put_count(r, "foreign", s->foreign);
    put_count(r, "unsigned", s->heard);
    put_count(r, "tombstones", s->tombstones);
    put_count(r, "bytes", s->bytes);
    put_count(r, "max_bytes", s->max_bytes);
    put_count(r, "wal_bytes", s->wal_bytes);
    put_count(r, "first_arrival", s->first_arrival);
    put_count(r, "last_arrival", s->last_arrival);
    put_count(r, "epoch", s->epoch);
    if (s->packets > 0) {
        put_time(r, "oldest_expiry", s->oldest_expiry_us);
    } else {
        put_absent(r, "oldest_expiry");
    }
    put_bool(r, "quarantined", s->quarantined);
    put_bool(r, "salvaging", s->salvaging);
    put_count(r, "salvaged", s->salvaged);
    put_text(r, "quarantine", s->quarantine[0] == '\0' ? NULL : s->quarantine);
    put_bool(r, "degraded", s->degraded);
    put_text(r, "why", s->why[0] == '\0' ? NULL : s->why);
}

int verb_store_stat(const call *c) {
    kith_store *store = NULL;
    kith_store_stat stat;
    kith_error err = { 0 };
    int code = open_store(c, &store);
    if (code != 0) return code;
    if (kith_store_stats(store, &stat, &err) < 0) {
        kith_store_close(&store);
        return store_fault(c, &err);
    }
    record r = record_of("store_stat");
    put_stat(&r, &stat);
    if (c->out->json || c->out->format != NULL) {
        code = out_emit(c->out, &r) ? 0 : EXIT_USAGE;
    } else {
        for (size_t i = 0; i < r.count && code == 0; i++) {
            record row = record_of("store_stat");
            as_column(put_text(&row, "what", r.fields[i].name), 0);
            row.fields[row.count] = r.fields[i];
            row.fields[row.count].name = "value";
            as_column(&row.fields[row.count++], 0);
            if (!out_emit(c->out, &row)) code = EXIT_USAGE;
        }
    }
    kith_store_close(&store);
    return code;
}

int verb_store_check(const call *c) {
    char url[KITH_URL_MAX + 1];
    kith_error err = { 0 };
    kith_store *store = NULL;
    if (!store_url(c->settings, c->out, url)) return EXIT_IO;
    if (strncmp(url, "sqlite:", 7) == 0) {
        char path[KITH_URL_MAX + 1];
        const char *place = url + 7 + (strncmp(url + 7, "//", 2) == 0 ? 2 : 0);
        snprintf(path, sizeof path, "%.*s", (int) strcspn(place, "?"), place);
        if (access(path, F_OK) != 0) return open_store(c, &store); /* tells why */
    }
    if (kith_store_check(url, &err) < 0) return fault_kith(c->out, E_STORE, url, &err);
    record r = record_of("store_check");
    as_column(put_text(&r, "store", url), 0);
    as_column(put_text(&r, "verdict", "whole"), 0);
    return out_emit(c->out, &r) ? 0 : EXIT_USAGE;
}

int verb_store_prune(const call *c) {
    kith_store *store = NULL;
    kith_error err = { 0 };
    int64_t now_us = kith_time_now().wall_us;
    uint64_t removed = 0;
    int code = open_store(c, &store);
    if (code != 0) return code;
    int n = 0;
    do {
        n = kith_store_prune(store, now_us, 1000, &err);
        removed += n > 0 ? (uint64_t) n : 0;
    } while (n > 0);
    if (n < 0) {
        code = store_fault(c, &err);
    } else {
        record r = record_of("pruned");
        as_column(put_count(&r, "removed", removed), 0);
        code = out_emit(c->out, &r) ? 0 : EXIT_USAGE;
    }
    kith_store_close(&store);
    return code;
}

int verb_store_backup(const call *c) {
    kith_store *store = NULL;
    kith_error err = { 0 };
    int code = open_store(c, &store);
    if (code != 0) return code;
    if (kith_store_backup(store, c->args[0], &err) < 0) {
        code = fault_kith(c->out, E_OUTPUT, c->args[0], &err);
    } else {
        record r = record_of("backup");
        as_column(put_text(&r, "file", c->args[0]), 0);
        code = out_emit(c->out, &r) ? 0 : EXIT_USAGE;
    }
    kith_store_close(&store);
    return code;
}

/* ---- export ---- */

static int export_one(void *ctx, const kith_record *one) {
    FILE *to = ctx;
    kith_content content;
    if (kith_packet_decode(one->packet.bytes, one->packet.length, &content) < 0) return 0;
    record r = record_of("packet");
    put_hex(&r, "id", one->id, sizeof one->id);
    put_text(&r, "subject", content.address.subject);
    put_hex(&r, "packet", one->packet.bytes, one->packet.length);
    out_json(to, &r);
    return ferror(to) ? KITH_STOP : 0;
}

int verb_store_export(const call *c) {
    const file_flags *f = c->flags;
    kith_store *store = NULL;
    kith_error err = { 0 };
    bool plain = strcmp(f->output, "-") == 0;
    kith_query query = { .pattern = c->arg_count > 0 ? c->args[0] : NULL,
        .now_us = kith_time_now().wall_us };
    const char *why =
        query.pattern == NULL ? NULL : kith_subject_fault(query.pattern, true);
    if (why != NULL) return fault(c->out, E_SUBJECT, query.pattern, "%s", why);
    int code = open_store(c, &store);
    if (code != 0) return code;
    FILE *to = plain ? c->out->to : fopen(f->output, "we");
    if (to == NULL) {
        code = fault(c->out, E_OUTPUT, f->output, "%s", strerror(errno));
    } else if (kith_store_find(store, &query, export_one, to, &err) < 0) {
        code = store_fault(c, &err);
    }
    /* stdout is looked at by main, for every command alike. */
    if (to != NULL && !plain) {
        bool bad = fflush(to) != 0 || ferror(to) || fsync(fileno(to)) != 0;
        int sys = errno;
        bad = fclose(to) != 0 || bad;
        if (code == 0 && bad)
            code = fault(c->out, E_OUTPUT, f->output, "%s", strerror(sys));
    }
    kith_store_close(&store);
    return code;
}

/* ---- import ---- */

#define ADMIT 128

typedef struct importing {
    const call *c;
    kith_store *store;
    kith_arrival *arrivals;
    size_t count;
    uint64_t fresh, known, expired, refused;
    int code;
} importing;

static void admit(importing *m) {
    kith_error err = { 0 };
    if (m->count == 0 || (m->code != 0 && m->code != EXIT_DATA)) return;
    if (kith_store_admit(m->store, m->arrivals, m->count, kith_time_now(), &err) < 0) {
        m->code = store_fault(m->c, &err);
        return;
    }
    for (size_t i = 0; i < m->count; i++) {
        int r = m->arrivals[i].result;
        m->fresh += r == 0;
        m->known += r == KITH_DUPLICATE;
        m->refused += r != 0 && r != KITH_DUPLICATE;
        if (r == KITH_E_SPACE) m->code = fault(m->c->out, E_FULL, "the store", NULL);
    }
    m->count = 0;
}

static bool import_one(void *ctx, const kith_packet *packet, const char *about) {
    importing *m = ctx;
    kith_content content;
    int r = kith_packet_decode(packet->bytes, packet->length, &content);
    if (r == 0) r = kith_packet_verify(packet);
    if (r == 0) {
        r = kith_packet_timely(&content, kith_time_now().wall_us);
        if (r == KITH_R_EXPIRED) {
            m->expired++;
            return true;
        }
    }
    if (r != 0) {
        m->refused++;
        m->code = fault(m->c->out, E_PACKET, about, "%s", kith_refusal_words(r));
        return true;
    }
    m->arrivals[m->count++] = (kith_arrival){ .packet = *packet, .way = "import" };
    if (m->count == ADMIT) admit(m);
    return m->code == 0 || m->code == EXIT_DATA;
}

int verb_store_import(const call *c) {
    importing m = { .c = c };
    int code = open_store(c, &m.store);
    if (code != 0) return code;
    m.arrivals = calloc(ADMIT, sizeof *m.arrivals);
    if (m.arrivals == NULL) {
        m.code = fault(c->out, E_MEMORY, "packets", NULL);
    } else {
        code = each_packet(c, c->args[0], false, import_one, &m);
        admit(&m);
        record r = record_of("imported");
        as_column(put_count(&r, "new", m.fresh), 0);
        as_column(put_count(&r, "known", m.known), 0);
        as_column(put_count(&r, "expired", m.expired), 0);
        as_column(put_count(&r, "refused", m.refused), 0);
        if (!out_emit(c->out, &r)) m.code = EXIT_USAGE;
    }
    free(m.arrivals);
    kith_store_close(&m.store);
    return m.code != 0 ? m.code : code;
}
