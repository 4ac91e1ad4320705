/* SPDX-License-Identifier: Apache-2.0 */
/* recall_table [N [QUERIES [short]]]: of the ten nearest contexts, how many does a reader meet
 * who follows the cells of his own by exact subjects, and how many packets does he
 * touch? Packets are given their subjects by a template, as a node gives them; the ten
 * nearest are found by looking at all. Figures, never seconds. Exit 1: a target is
 * missed. Data: C 1,000 clusters with sd 0.05; M a manifold of 8 dimensions; U uniform. */
#include <kith/template.h>

#include "base/dice.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIMS     KITH_CONTEXT_MAX
#define CLUSTERS 1000
#define NEAREST  10
#define SEED     20261121

typedef struct place {
    uint64_t topic; /* the start of a subject's hash */
    uint32_t who;
} place;

typedef struct world {
    unsigned dims;
    size_t n, queries;
    uint16_t (*at)[DIMS]; /* n packets, then the queries */
    place *places;
    size_t place_count;
    uint32_t *stamp; /* of each packet: the last query that met it */
    bool one_grid;   /* to compare with: the first of them alone */
    double recall, touched, met;
} world;

static int missed;

static double uniform(uint64_t *dice) {
    return ((double) (dice_roll(dice) >> 11) + 0.5) * 0x1p-53;
}

static double normal(uint64_t *dice) {
    return sqrt(-2 * log(uniform(dice))) * cos(6.283185307179586 * uniform(dice));
}

static uint16_t number(double x) {
    return x <= 0 ? 0 : x >= 1 ? 65535 : (uint16_t) (x * 65536);
}

static void draw_clusters(world *w, uint64_t *dice) {
    static double centres[CLUSTERS][DIMS];
    for (size_t i = 0; i < CLUSTERS; i++) {
        for (unsigned k = 0; k < w->dims; k++) centres[i][k] = uniform(dice);
    }
    for (size_t i = 0; i < w->n + w->queries; i++) {
        const double *c = centres[dice_below(dice, CLUSTERS)];
        for (unsigned k = 0; k < w->dims; k++) {
            w->at[i][k] = number(c[k] + 0.05 * normal(dice));
        }
    }
}

/* Each coordinate a smooth function of eight hidden numbers. */
static void draw_manifold(world *w, uint64_t *dice) {
    double mix[DIMS][8], phase[DIMS];
    for (unsigned k = 0; k < w->dims; k++) {
        for (int j = 0; j < 8; j++) mix[k][j] = normal(dice);
        phase[k] = 6.283185307179586 * uniform(dice);
    }
    for (size_t i = 0; i < w->n + w->queries; i++) {
        double hidden[8];
        for (int j = 0; j < 8; j++) hidden[j] = uniform(dice);
        for (unsigned k = 0; k < w->dims; k++) {
            double x = phase[k];
            for (int j = 0; j < 8; j++) x += mix[k][j] * hidden[j];
            w->at[i][k] = number(0.5 + 0.5 * sin(x));
        }
    }
}

static void draw_uniform(world *w, uint64_t *dice) {
    for (size_t i = 0; i < w->n + w->queries; i++) {
        for (unsigned k = 0; k < w->dims; k++) w->at[i][k] = number(uniform(dice));
    }
}

static uint64_t topic_of(const char *subject) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *subject != '\0'; subject++)
        h = (h ^ (uint8_t) *subject) * UINT64_C(0x100000001b3);
    return h ^ h >> 29;
}

static int by_topic(const void *a, const void *b) {
    const place *x = a, *y = b;
    return x->topic != y->topic ? (x->topic < y->topic ? -1 : 1)
                                : (x->who > y->who) - (x->who < y->who);
}

static void post_all(world *w, const kith_template *t) {
    kith_content c = { .type = KITH_LEAF, .has = KITH_HAS_CONTEXT16 };
    kith_address cells[KITH_CELLS_MAX];
    memcpy(c.address.subject, "a.b", 4);
    c.context16_count = (uint8_t) w->dims;
    w->place_count = 0;
    for (size_t i = 0; i < w->n; i++) {
        memcpy(c.context16, w->at[i], sizeof c.context16);
        size_t count = kith_template_cells(t, &c, cells);
        for (size_t k = 0; k < (w->one_grid ? 1 : count); k++) {
            w->places[w->place_count++] =
                (place){ topic_of(cells[k].subject), (uint32_t) i };
        }
    }
    qsort(w->places, w->place_count, sizeof *w->places, by_topic);
    memset(w->stamp, 0, w->n * sizeof *w->stamp);
}

static size_t first_of(const world *w, uint64_t topic) {
    size_t low = 0, high = w->place_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (w->places[mid].topic < topic) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* Marks whom a query meets. */
static void meet(world *w, const kith_template *t, size_t query) {
    kith_address cells[KITH_CELLS_MAX];
    size_t count = kith_template_follow(t, "a.b", w->at[w->n + query], cells);
    for (size_t k = 0; k < count; k++) {
        uint64_t topic = topic_of(cells[k].subject);
        for (size_t i = first_of(w, topic);
             i < w->place_count && w->places[i].topic == topic; i++) {
            w->touched++;
            if (w->stamp[w->places[i].who] != query + 1) w->met++;
            w->stamp[w->places[i].who] = (uint32_t) query + 1;
        }
    }
}

static uint64_t apart(const world *w, size_t a, size_t b) {
    uint64_t sum = 0;
    for (unsigned k = 0; k < w->dims; k++) {
        int64_t x = (int64_t) w->at[a][k] - w->at[b][k];
        sum += (uint64_t) (x * x);
    }
    return sum;
}

/* The ten nearest of a query, nearest first. */
static void nearest(
    const world *w, size_t query, uint32_t ret[NEAREST], uint64_t far[NEAREST]) {
    size_t count = 0;
    for (size_t i = 0; i < w->n; i++) {
        uint64_t d = apart(w, w->n + query, i);
        if (count == NEAREST && d >= far[NEAREST - 1]) continue;
        size_t k = count < NEAREST ? count++ : NEAREST - 1;
        for (; k > 0 && far[k - 1] > d; k--) {
            far[k] = far[k - 1];
            ret[k] = ret[k - 1];
        }
        far[k] = d;
        ret[k] = (uint32_t) i;
    }
}

/* The usual distance of a tenth neighbour: hash tables are as wide as six of it. */
static double usual(const world *w) {
    double sum = 0;
    size_t looks = w->queries < 50 ? w->queries : 50;
    for (size_t q = 0; q < looks; q++) {
        uint32_t who[NEAREST];
        uint64_t far[NEAREST];
        nearest(w, q, who, far);
        sum += sqrt((double) far[NEAREST - 1]) / 65536;
    }
    return sum / (double) looks;
}

static kith_template *document(const world *w, const char *route) {
    char text[4096];
    kith_template *t = NULL;
    kith_error err = { 0 };
    size_t used = (size_t) snprintf(text, sizeof text,
        "[template]\nname = recall\nversion = 1\nmeasure = any\n%s\n", route);
    for (unsigned k = 0; k < w->dims; k++) {
        used += (size_t) snprintf(text + used, sizeof text - used,
            "[dimension x%u]\ntransform = linear 0 1\n", k);
    }
    if (kith_template_parse(&t, text, used, &err) < 0) {
        fprintf(stderr, "recall_table: %s\n", err.text);
        exit(70);
    }
    return t;
}

static void measure(world *w, const kith_template *t) {
    size_t found = 0;
    w->touched = w->met = 0;
    post_all(w, t);
    for (size_t q = 0; q < w->queries; q++) {
        uint32_t who[NEAREST];
        uint64_t far[NEAREST];
        meet(w, t, q);
        nearest(w, q, who, far);
        for (size_t k = 0; k < NEAREST; k++) found += w->stamp[who[k]] == q + 1;
    }
    w->recall = (double) found / (double) (NEAREST * w->queries);
    w->touched /= (double) w->queries;
    w->met /= (double) w->queries;
}

/* One row. least 0: no target. */
static void row(world *w, const char *data, const char *route, double least, double most) {
    kith_template *t = document(w, route);
    char shown[64];
    measure(w, t);
    snprintf(shown, sizeof shown, "%.*s", (int) strcspn(route, "\n"), route);
    bool good = least == 0 || (w->recall >= least && w->met <= most);
    missed += !good;
    printf("%-2s %2u %8zu  %-28s %8.3f %10.0f %10.0f  %s\n", data, w->dims, w->n, shown,
        w->recall, w->met, w->touched,
        least == 0 ? ""
        : good     ? "met"
                   : "MISSED");
    fflush(stdout);
    kith_template_free(&t);
}

static void lsh_row(world *w, const char *data, int hashes, double least, double most) {
    char route[80];
    snprintf(route, sizeof route, "lsh = 32,%d,%.0f\nradius = 0.1\nroute = lsh", hashes,
        usual(w) * 24 * 65536);
    row(w, data, route, least, most);
}

static void many_dimensions(world *w, uint64_t *dice, bool whole) {
    w->dims = 9;
    lsh_row(w, "C", 10, 0, 0);
    w->dims = 16;
    draw_clusters(w, dice);
    lsh_row(w, "C", 10, whole ? 0.99 : 0, 700);
    draw_manifold(w, dice);
    lsh_row(w, "M", 16, 0, 0);
    draw_uniform(w, dice);
    lsh_row(w, "U", 16, 0, 0);
}

int main(int argc, char **argv) {
    world w = { .n = argc > 1 ? (size_t) atol(argv[1]) : 100000,
        .queries = argc > 2 ? (size_t) atol(argv[2]) : 300 };
    w.at = calloc(w.n + w.queries, sizeof *w.at);
    w.places = calloc(w.n * KITH_CELLS_MAX, sizeof *w.places);
    w.stamp = calloc(w.n, sizeof *w.stamp);
    if (w.n < NEAREST || w.queries < 1 || w.at == NULL || w.places == NULL ||
        w.stamp == NULL) {
        return 70;
    }
    bool whole = w.n >= 100000, all = argc < 4; /* the targets are for that many */
    uint64_t dice = SEED;
    printf("    d        N  route                        recall@10  distinct    touched\n");
    for (w.dims = all ? 8 : 9; w.dims <= 9; w.dims++) {
        draw_clusters(&w, &dice);
        row(&w, "C", "levels = 1\nradius = 0.04", whole && w.dims == 9 ? 0.99 : 0, 700);
        w.one_grid = true;
        row(&w, "C", "# one grid of them\nlevels = 1\nradius = 0.04", 0, 0);
        w.one_grid = false;
        if (all) row(&w, "C", "levels = 2\nradius = 0.02", 0, 0);
    }
    if (all) many_dimensions(&w, &dice, whole);
    free(w.at);
    free(w.places);
    free(w.stamp);
    return missed > 0;
}
