/* SPDX-License-Identifier: Apache-2.0 */
/* kith/template.h - what a problem is: a named, versioned, immutable document.
 *
 *   text ──► parse ──► canonical text ──► SHA-256 ──► the id that packets carry
 *              │
 *              └──► context numbers, ranges, cells, distances
 *
 * A document says what the effect measures and in which unit, what a context is made
 * of and how near is near. Its id depends on the meaning, not on spacing, order of keys
 * or comments; so two nodes with one id agree on every address. docs/formats/template.md.
 *
 * A kith_template never changes after parse and may be shared by threads. A set of
 * them borrows nothing: it owns what was added. No function reads a clock or a file.
 */
#ifndef KITH_TEMPLATE_H
#define KITH_TEMPLATE_H

#include <kith/cell.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KITH_TEMPLATE_TEXT_MAX 65536 /* bytes of a document */
#define KITH_TEMPLATE_NAME_MAX 32
#define KITH_CONTEXT_MAX       16 /* numbers of a context */
#define KITH_CELLS_MAX         32 /* subjects of one packet */
#define KITH_TEMPLATES_MAX     1024

typedef struct kith_template kith_template;

enum {
    KITH_ROUTE_NONE = 0,  /* no cells: twins are found by distance alone */
    KITH_ROUTE_GRIDS = 1, /* shifted Morton grids, 1..9 numbers */
    KITH_ROUTE_LSH = 2,   /* hash tables, up to 16 */
};

typedef struct kith_template_facts {
    char name[KITH_TEMPLATE_NAME_MAX + 1], about[161];
    uint8_t id[KITH_TEMPLATE_SIZE];
    uint32_t version;
    uint8_t measure, components; /* measure 0: any */
    uint32_t n_min;
    double unit;                    /* natural units in one of the packet's */
    double effect_low, effect_high; /* in natural units; -/+infinity: no limit */
    double prior_scale;             /* of one observation; 0: unknown */
    double half_life_s;             /* 0: evidence does not age */
    uint32_t window_s, ttl_s;       /* window 0: one live leaf for a source */
    bool confidential;              /* n at least 20, no text */
    bool post_base;                 /* under the base subject too */
    uint8_t route, numbers;         /* of a context; 0: there is none */
    uint32_t radius;                /* twins are at most so far apart, of 65536 */
    bool euclid;                    /* distance is the root of squares, else the largest */
    uint8_t levels[KITH_PUBLISHED_MAX], level_count;
    uint8_t meeting_level; /* grids: the published level at which twins surely meet */
} kith_template_facts;

/* E_FORMAT: err says which line and why. */
KITH_API KITH_MUST_USE int kith_template_parse(
    kith_template **ret, const char *text, size_t length, kith_error *err);
KITH_API void kith_template_free(kith_template **t);
KITH_API const kith_template_facts *kith_template_about(const kith_template *t);
/* The canonical text, ends with NUL; lives as long as the template. */
KITH_API const char *kith_template_text(const kith_template *t);
/* The built-in family as a document, u = -9..9. Packets name it by u, not by hash. */
KITH_API KITH_MUST_USE int kith_template_unit_text(int u, char *ret, size_t size);
/* "load: linear 0 1", one line each; NULL behind the last. */
KITH_API const char *kith_template_dimension(const kith_template *t, size_t index);

/* "23.5,60,south": a value for each dimension, by commas, as a context's numbers.
 * E_ARG: err names the dimension and its range. */
KITH_API KITH_MUST_USE int kith_template_context(const kith_template *t, const char *text,
    uint16_t ret[KITH_CONTEXT_MAX], kith_error *err);
/* What the document's own ranges say against this packet, in words; NULL: nothing. */
KITH_API const char *kith_template_fault(const kith_template *t, const kith_content *c);
/* What a careful reader would say against the document, one at a time from 0; NULL
 * behind the last. */
KITH_API const char *kith_template_lint(const kith_template *t, size_t index);
/* How far apart, of 65536. */
KITH_API uint32_t kith_template_distance(
    const kith_template *t, const uint16_t *a, const uint16_t *b);

/* The subjects a packet is posted under besides its own: how many, 0 if there are no
 * cells, or its context is not the template's, or the subject leaves no room. */
KITH_API size_t kith_template_cells(
    const kith_template *t, const kith_content *c, kith_address ret[KITH_CELLS_MAX]);
/* What a reader follows to meet every twin of a context; as above. */
KITH_API size_t kith_template_follow(const kith_template *t, const char *base,
    const uint16_t *context, kith_address ret[KITH_CELLS_MAX]);
/* Of the cells of two contexts, do any meet where a reader follows? */
KITH_API bool kith_template_meet(
    const kith_template *t, const uint16_t *mine, const uint16_t *theirs);

typedef struct kith_templates kith_templates;
KITH_API KITH_MUST_USE int kith_templates_new(kith_templates **ret);
KITH_API void kith_templates_free(kith_templates **set);
/* Takes *t. KITH_DUPLICATE: it was there; KITH_FULL; E_DENIED: the name and version
 * mean something else here. *t is gone in any case. */
KITH_API KITH_MUST_USE int kith_templates_add(kith_templates *set, kith_template **t);
/* NULL: unknown. A NULL set knows nothing. */
KITH_API const kith_template *kith_templates_find(
    const kith_templates *set, const uint8_t id[KITH_TEMPLATE_SIZE]);
KITH_API const kith_template *kith_templates_at(const kith_templates *set, size_t index);

/* May a packet with this content stand under that subject of a carrier? Its own, or a
 * cell's of its context; of a template we do not know, whatever looks like a cell. */
KITH_API bool kith_cell_accepts(
    const kith_templates *set, const kith_content *c, const char *subject);

#ifdef __cplusplus
}
#endif
#endif
