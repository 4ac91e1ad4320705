/* SPDX-License-Identifier: Apache-2.0 */
/* kith sim --panel, --all: what is promised of many nodes, measured and judged. */
#include "cli/sim/sim.h"

#include <kith/time.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool emit_point(const call *c, const kith_sim_panel *p, const kith_sim_point *it) {
    char letter[2] = { p->letter, '\0' };
    bool promised = it->low == it->low;
    record row = record_of("sim_point");
    as_column(put_text(&row, "panel", letter), 0);
    as_column(put_text(&row, "series", it->series), 0);
    field *x = put_real(&row, "x", it->x);
    if (it->label[0] != '\0') {
        as_column(put_text(&row, "label", it->label), 0);
    } else {
        as_column(x, 6);
    }
    as_column(put_real(&row, "value", it->value), 4);
    as_column(promised ? put_real(&row, "low", it->low) : put_absent(&row, "low"), 4);
    as_column(promised ? put_real(&row, "high", it->high) : put_absent(&row, "high"), 4);
    as_column(put_text(&row, "is",
                  !promised                 ? "shown"
                  : kith_sim_point_good(it) ? "good"
                                            : "OUTSIDE"),
        0);
    return out_emit(c->out, &row);
}

typedef struct verdict {
    size_t points, promised, outside;
} verdict;

static bool emit_panel(const call *c, const kith_sim_panel *p, verdict *v) {
    for (size_t i = 0; i < p->count; i++) {
        const kith_sim_point *it = &p->points[i];
        v->points++;
        v->promised += it->low == it->low ? 1 : 0;
        v->outside += kith_sim_point_good(it) ? 0 : 1;
        if (!emit_point(c, p, it)) return false;
    }
    return true;
}

static int write_svg(const call *c, const char *path, const kith_sim_panel *p, size_t n) {
    FILE *to = fopen(path, "we");
    if (to == NULL) return fault(c->out, E_OUTPUT, path, "%s", strerror(errno));
    sim_svg(to, p, n);
    bool wrote = ferror(to) == 0;
    if (fclose(to) != 0 || !wrote) {
        return fault(c->out, E_OUTPUT, path, "%s", strerror(errno));
    }
    return 0;
}

/* One panel, its rows, and then how long it took. *ret_there: it is built. */
static int run_panel(
    const call *c, char letter, kith_sim_panel *p, bool *ret_there, verdict *v) {
    const sim_flags *f = c->flags;
    kith_error err = { 0 };
    kith_time from = kith_time_now();
    int r = kith_sim_panel_run(letter, (uint64_t) f->seed, f->quick, p, &err);
    double took = (double) (kith_time_now().mono_ns - from.mono_ns) / 1e9;
    *ret_there = r == 0;
    if (r < 0 && r != KITH_E_NOTSUP) return fault_kith(c->out, E_INTERNAL, "sim", &err);
    if (r == 0 && !emit_panel(c, p, v)) return EXIT_USAGE;
    out_rows(c->out); /* data before words: who went away ends us here */
    if (!out_flush(c->out)) return out_end(c->out);
    if (r == 0) out_note(c->out, "panel %c took %.1f s", letter, took);
    if (r < 0) out_note(c->out, "%s", err.text);
    return 0;
}

int sim_panels(const call *c, const char *letters) {
    const sim_flags *f = c->flags;
    kith_sim_panel *panels = calloc(strlen(letters) + 1, sizeof *panels);
    if (panels == NULL) return fault(c->out, E_MEMORY, "panels", NULL);
    size_t count = 0;
    verdict v = { 0 };
    int code = 0;
    for (const char *p = letters; *p != '\0' && code == 0; p++) {
        bool there = false;
        code = run_panel(c, *p, &panels[count], &there, &v);
        count += there;
    }
    if (code == 0 && f->svg[0] != '\0') code = write_svg(c, f->svg, panels, count);
    free(panels);
    if (code != 0) return code;
    out_note(
        c->out, "%zu points, %zu promised, %zu outside", v.points, v.promised, v.outside);
    return v.outside > 0 || count == 0 ? EXIT_NOTHING : 0;
}
