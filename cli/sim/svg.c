/* SPDX-License-Identifier: Apache-2.0 */
/* Panels as SVG. Plain text with fixed digits, so that the same figures are the same
 * bytes. */
#include "cli/sim/sim.h"

#include <math.h>
#include <string.h>

enum {
    WIDE = 900,
    HIGH = 420,  /* one panel */
    LEFT = 70,   /* of the plot */
    RIGHT = 580, /* the names stand behind it */
    TOP = 44,
    BOTTOM = 350, /* labels of x below */
};

static const char *const colors[] = { "#4477aa", "#ee6677", "#228833", "#aa8800", "#66aacc",
    "#aa3377", "#555555", "#994400", "#0077bb", "#cc3311", "#009988", "#ee7733" };
#define COLORS (sizeof colors / sizeof *colors)

typedef struct axis {
    double low, high;
    bool log;
    double from, to; /* pixels */
} axis;

static double place(const axis *a, double value) {
    double v = a->log ? log10(value) : value;
    return a->from + (a->to - a->from) * (v - a->low) / (a->high - a->low);
}

static void take(axis *a, double value) {
    if (isnan(value) || (a->log && value <= 0)) return;
    double v = a->log ? log10(value) : value;
    a->low = fmin(a->low, v);
    a->high = fmax(a->high, v);
}

/* From the least to the largest that is drawn, and a little room. */
static void span(const kith_sim_panel *p, axis *x, axis *y) {
    *x = (axis){ INFINITY, -INFINITY, p->log_x, LEFT, RIGHT };
    *y = (axis){ INFINITY, -INFINITY, p->log_y, BOTTOM, TOP };
    for (size_t i = 0; i < p->count; i++) {
        const kith_sim_point *it = &p->points[i];
        if (it->aside) continue;
        take(x, it->x);
        take(y, it->value);
    }
    for (int i = 0; i < 2; i++) {
        axis *a = i == 0 ? x : y;
        if (!(a->high > a->low)) a->low -= 1, a->high = a->low + 2;
        double room = 0.05 * (a->high - a->low);
        a->low -= room, a->high += room;
    }
}

static void text(FILE *to, const char *words) {
    for (const char *p = words; *p != '\0'; p++) {
        if (*p == '<')
            fputs("&lt;", to);
        else if (*p == '>')
            fputs("&gt;", to);
        else if (*p == '&')
            fputs("&amp;", to);
        else
            fputc(*p, to);
    }
}

static bool drawn_before(const kith_sim_panel *p, size_t i, bool by_x) {
    for (size_t k = 0; k < i; k++) {
        const kith_sim_point *a = &p->points[k], *b = &p->points[i];
        if (a->aside) continue;
        if (by_x ? a->x == b->x : strcmp(a->series, b->series) == 0) return true;
    }
    return false;
}

static void x_labels(FILE *to, const kith_sim_panel *p, const axis *x) {
    for (size_t i = 0; i < p->count; i++) {
        const kith_sim_point *it = &p->points[i];
        if (it->aside || drawn_before(p, i, true)) continue;
        double at = place(x, it->x);
        fprintf(to, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" stroke=\"#eee\"/>\n",
            at, at, TOP, BOTTOM);
        if (it->label[0] == '\0') {
            fprintf(to, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n", at,
                BOTTOM + 16, it->x);
            continue;
        }
        fprintf(to,
            "<text transform=\"translate(%.1f %d) rotate(-25)\" "
            "text-anchor=\"end\" font-size=\"10\">",
            at, BOTTOM + 12);
        text(to, it->label);
        fputs("</text>\n", to);
    }
}

static void y_labels(FILE *to, const axis *y) {
    for (int i = 0; i <= 4; i++) {
        double v = y->low + (y->high - y->low) * (0.05 + 0.9 * i / 4);
        double value = y->log ? pow(10, v) : v, at = place(y, value);
        fprintf(to,
            "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#eee\"/>\n"
            "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.3g</text>\n",
            LEFT, RIGHT, at, at, LEFT - 6, at + 4, value);
    }
}

/* The bar of what is promised, and the point on it. */
static void point(
    FILE *to, const kith_sim_point *it, const axis *x, const axis *y, const char *color) {
    double at = place(x, it->x);
    if (!isnan(it->low)) {
        double low = y->log ? fmax(it->low, pow(10, y->low)) : fmax(it->low, y->low);
        double high = y->log ? fmin(it->high, pow(10, y->high)) : fmin(it->high, y->high);
        if (high >= low) {
            fprintf(to,
                "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" "
                "stroke=\"%s\" stroke-width=\"5\" opacity=\"0.25\"/>\n",
                at, at, place(y, low), place(y, high), color);
        }
    }
    bool good = kith_sim_point_good(it);
    if (isnan(it->value) || (y->log && it->value <= 0)) return;
    fprintf(to, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%s\" fill=\"%s\"/>\n", at,
        place(y, it->value), good ? "2.5" : "5", good ? color : "#f00");
}

static void series(FILE *to, const kith_sim_panel *p, size_t first, const axis *x,
    const axis *y, size_t number) {
    const char *name = p->points[first].series, *color = colors[number % COLORS];
    bool begun = false;
    fputs("<polyline fill=\"none\" stroke-width=\"1.3\" points=\"", to);
    for (size_t i = first; i < p->count; i++) {
        const kith_sim_point *it = &p->points[i];
        if (it->aside || strcmp(it->series, name) != 0 || (y->log && !(it->value > 0))) {
            continue;
        }
        fprintf(to, "%s%.1f,%.1f", begun ? " " : "", place(x, it->x), place(y, it->value));
        begun = true;
    }
    fprintf(to, "\" stroke=\"%s\"%s/>\n", color,
        number >= COLORS ? " stroke-dasharray=\"4 3\"" : "");
    for (size_t i = first; i < p->count; i++) {
        const kith_sim_point *it = &p->points[i];
        if (!it->aside && strcmp(it->series, name) == 0) point(to, it, x, y, color);
    }
    double row = TOP + 8 + 15.0 * (double) number;
    fprintf(to,
        "<rect x=\"%d\" y=\"%.1f\" width=\"10\" height=\"3\" fill=\"%s\"/>"
        "<text x=\"%d\" y=\"%.1f\">",
        RIGHT + 14, row - 4, color, RIGHT + 30, row);
    text(to, name);
    fputs("</text>\n", to);
}

static void panel(FILE *to, const kith_sim_panel *p, size_t row) {
    axis x, y;
    size_t number = 0;
    span(p, &x, &y);
    fprintf(to,
        "<g transform=\"translate(0 %zu)\">\n<text x=\"%d\" y=\"24\" "
        "font-size=\"15\">%c: ",
        row * HIGH, LEFT, p->letter);
    text(to, p->title);
    fprintf(to, "</text>\n<text x=\"%d\" y=\"38\" fill=\"#777\">", LEFT);
    text(to, p->y);
    fprintf(to, "</text>\n<text x=\"%d\" y=\"%d\" text-anchor=\"end\" fill=\"#777\">",
        RIGHT, HIGH - 14);
    text(to, p->x);
    fputs("</text>\n", to);
    x_labels(to, p, &x);
    y_labels(to, &y);
    for (size_t i = 0; i < p->count; i++) {
        if (p->points[i].aside || drawn_before(p, i, false)) continue;
        series(to, p, i, &x, &y, number++);
    }
    fputs("</g>\n", to);
}

void sim_svg(FILE *to, const kith_sim_panel *panels, size_t count) {
    fprintf(to,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%zu\" "
        "font-family=\"sans-serif\" font-size=\"11\">\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
        WIDE, count * HIGH);
    for (size_t i = 0; i < count; i++) panel(to, &panels[i], i);
    fputs("</svg>\n", to);
}
