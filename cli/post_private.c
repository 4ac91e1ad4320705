/* SPDX-License-Identifier: Apache-2.0 */
/* post --private: a mean of records behind noise, paid before the noise is drawn. */
#include "cli/evidence.h"
#include "cli/post.h"

#include <kith/ledger.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int together(const call *c) {
    static const char *const not_beside[] = { "effect", "se", "hits", "tries", "confidence",
        "n", "text", "conclusion", "template", "effects", "covariance" };
    for (size_t i = 0; i < sizeof not_beside / sizeof *not_beside; i++) {
        if (!flag_given(c, not_beside[i])) continue;
        return fault(c->out, E_TOGETHER, not_beside[i],
            "a private post says nothing but a mean of records, from --samples");
    }
    if (!flag_given(c, "samples") || !flag_given(c, "lower") || !flag_given(c, "upper")) {
        return fault(c->out, E_TOGETHER, "--private",
            "it needs --samples, and --lower and --upper, which everybody may know");
    }
    if (flag_given(c, "rho") == flag_given(c, "epsilon")) {
        return fault(c->out, E_TOGETHER, "--private",
            "what it may cost is given by one of --rho and --epsilon");
    }
    return 0;
}

static int begin(const call *c, kith_release *ret) {
    const post_flags *f = c->flags;
    kith_error err = { 0 };
    kith_release_options options = { .lower = f->lower,
        .upper = f->upper,
        .grid = f->grid,
        .sd = f->sd,
        .rho = flag_given(c, "rho") ? f->rho : kith_epsilon_rho(f->epsilon, KITH_DELTA),
        .unit = kith_template_unit((int) f->unit),
        .n_min = (uint32_t) f->at_least,
        .per_person = (uint32_t) f->per_person,
        .mechanism = f->noise == 0 ? KITH_NOISE_GAUSS : KITH_NOISE_LAPLACE };
    return kith_release_init(ret, &options, &err) == 0
               ? 0
               : fault(c->out, E_EVIDENCE, c->args[0], "%s", err.text);
}

static int take_line(const call *c, kith_release *release, char *line, size_t row) {
    char *end, about[PATH_TEXT_MAX + 40];
    const post_flags *f = c->flags;
    line[strcspn(line, "\r\n")] = '\0';
    if (line[strspn(line, " \t")] == '\0') return 0;
    double x = strtod(line, &end);
    if (end != line && end[strspn(end, " \t")] == '\0' &&
        kith_release_add(release, x) == 0) {
        return 0;
    }
    /* The line itself stays untold: it is somebody's record. */
    snprintf(about, sizeof about, "%s line %zu", f->samples, row);
    return fault(c->out, E_SAMPLES, about, "it is no number kith takes");
}

static int collect(const call *c, kith_release *release) {
    const post_flags *f = c->flags;
    char line[512];
    int code = 0;
    FILE *from = strcmp(f->samples, "-") == 0 ? stdin : fopen(f->samples, "re");
    if (from == NULL) return fault(c->out, E_INPUT, f->samples, "%s", strerror(errno));
    for (size_t row = 1; code == 0 && fgets(line, sizeof line, from) != NULL; row++) {
        code = take_line(c, release, line, row);
    }
    if (code == 0 && ferror(from)) {
        code = fault(c->out, E_INPUT, f->samples, "%s", strerror(errno));
    }
    if (from != stdin) (void) fclose(from);
    memset(line, 0, sizeof line);
    if (code == 0 && release->n < release->options.n_min) {
        code = fault(c->out, E_SAMPLES, f->samples,
            "%u records are fewer than %u, and so few "
            "could be guessed from their mean",
            (unsigned) release->n, (unsigned) release->options.n_min);
    }
    return code;
}

/* Subject, times, unit and context, as with any evidence; what stands in for it goes. */
static int frame(const call *c, kith_time now, kith_content *ret) {
    post_flags flags = *(const post_flags *) c->flags;
    char why[WHY_MAX] = "";
    flags.tries = flags.hits = 1;
    int bad = evidence_content(
        &flags, c->given | UINT64_C(3) << 3, c->args[0], now.wall_us, ret, why);
    if (bad != 0) return fault(c->out, (fault_id) bad, c->args[0], "%s", why);
    ret->has = (uint16_t) (ret->has & ~KITH_HAS_COUNTS);
    ret->hits = ret->tries = 0;
    return 0;
}

static void put_price(record *r, const kith_release *release, const kith_content *c) {
    double rho = (double) release->rho / (double) KITH_RHO_ONE,
           unit = release->options.unit;
    as_column(put_int(r, "n", c->n), 0);
    as_column(put_real(r, "se", sqrt(c->covariance[0]) * unit), 3);
    as_column(put_real(r, "noise_se", sqrt((double) c->v_dp) * unit), 3);
    as_column(put_real(r, "rho", rho), 4);
    as_column(put_real(r, "epsilon", kith_rho_epsilon(rho, KITH_DELTA)), 4);
    put_real(r, "delta", KITH_DELTA);
}

static int refused(const call *c, const kith_content *content, int refusal) {
    const post_flags *f = c->flags;
    char why[WHY_MAX];
    if (refusal == KITH_R_UNIT) {
        return fault(c->out, E_UNIT, c->args[0],
            "bounds and noise together reach beyond 1024 units of 10^%d, or the error is "
            "below "
            "0.001 of one; another --unit, a larger rho or narrower bounds help",
            (int) f->unit);
    }
    int bad = refusal_fault(refusal, content, why);
    return fault(c->out, (fault_id) bad, c->args[0], "%s", why);
}

/* What it would cost and how far off it would be; nothing of the records. */
static int dry_run(
    const call *c, const kith_release *release, const kith_content *frame_of) {
    kith_content content = *frame_of;
    int r = kith_release_preview(release, &content);
    if (r != 0) return refused(c, &content, r);
    record row = record_of("private_dry_run");
    as_column(put_text(&row, "subject", content.address.subject), 0);
    put_price(&row, release, &content);
    return out_emit(c->out, &row) ? 0 : EXIT_USAGE;
}

static int send(const call *c, kith_release *release, kith_post *post, kith_time now) {
    const post_flags *f = c->flags;
    poster p;
    kith_error err = { 0 };
    int code = poster_open(c, &p);
    if (code != 0) return code;
    int r = kith_ledger_post(p.store, p.key, f->records, release, post, now, &err);
    if (r < 0 && post->result < 0) {
        code = refused(c, &post->content, post->result);
    } else if (r < 0) {
        code = r == KITH_E_SPENT || r == KITH_E_ARG
                   ? fault_kith(c->out, E_VALUE, f->records, &err)
                   : store_fault(c, &err);
    } else if (post->result != 0) {
        code = post_failed(c, c->args[0], post);
    } else if (!told_post(c, &p, post, 0)) {
        code = EXIT_USAGE;
    } else {
        if (f->wait != 0) {
            if (!out_flush(c->out)) code = EXIT_IO;
            if (code == 0) code = wait_level(c, &p, post->arrival);
        }
        if (code == 0) out_next(c->out, "kith budget %s", f->records);
    }
    poster_close(&p);
    return code;
}

int post_private(const call *c) {
    const post_flags *f = c->flags;
    kith_time now = kith_time_now();
    kith_release release;
    int code = together(c);
    if (code == 0) code = begin(c, &release);
    if (code == 0) code = collect(c, &release);
    if (code != 0) return code;
    kith_post *post = calloc(1, sizeof *post);
    if (post == NULL) return fault(c->out, E_MEMORY, "a packet", NULL);
    code = frame(c, now, &post->content);
    if (code == 0) {
        code = f->dry_run ? dry_run(c, &release, &post->content)
                          : send(c, &release, post, now);
    }
    free(post);
    return code;
}
