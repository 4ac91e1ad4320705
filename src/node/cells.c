/* SPDX-License-Identifier: Apache-2.0 */
/* Packets under the cells of their context. The signed subject is the base; a carrier
 * that keeps things holds the same bytes under each cell as well, so that a reader who
 * follows the cells of his own context gets his twins by exact subjects. A wire without
 * memory needs no copies: there the reader's node tells the twins apart. */
#include "node/node.h"

#include "base/check.h"

#include <string.h>

size_t ki_cells_places(const kith_node *n, const ki_node_link *l, const kith_content *c,
    kith_address ret[KITH_CELLS_MAX + 1]) {
    const kith_template *t = kith_templates_find(n->templates, c->template_id);
    size_t count = t == NULL || l->sync != NULL ? 0 : kith_template_cells(t, c, ret);
    if (count == 0 || kith_template_about(t)->post_base) {
        ret[count++] = c->address;
    }
    return count;
}

/* list: texts of KITH_SUBJECT_MAX + 1 bytes each. */
static bool listed(const void *list, size_t count, const char *text) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp((const char *) list + i * sizeof(ki_pattern), text) == 0) {
            return true;
        }
    }
    return false;
}

size_t ki_cells_bases(const kith_node *n, ki_pattern ret[KITH_FOLLOWS_MAX]) {
    size_t count = 0;
    for (size_t i = 0; i < n->follow_count; i++) {
        ki_pattern base;
        size_t length = kith_cell_base(n->follows[i]);
        memcpy(base, n->follows[i], sizeof base);
        base[length > 0 ? length : strlen(base)] = '\0';
        if (!listed(ret, count, base)) {
            memcpy(ret[count++], base, sizeof base);
        }
    }
    CHECK(count <= KITH_FOLLOWS_MAX);
    return count;
}

bool ki_cells_spelt(const kith_node *n, const char *base) {
    return !listed(n->follows, n->follow_count, base);
}

/* Patterns that spell a cell see cells, all others see the signed subject. */
static bool cell_followed(const kith_node *n, const char *subject) {
    for (size_t i = 0; i < n->follow_count; i++) {
        if (kith_cell_base(n->follows[i]) > 0 &&
            kith_subject_matches(n->follows[i], subject)) {
            return true;
        }
    }
    return false;
}

bool ki_cells_wanted(const kith_node *n, const kith_content *c, const char *from) {
    if (ki_node_follows(n, c->address.subject)) {
        return true;
    }
    if (*from != '\0' && strcmp(from, c->address.subject) != 0) {
        return cell_followed(n, from);
    }
    kith_address all[KITH_CELLS_MAX];
    const kith_template *t = kith_templates_find(n->templates, c->template_id);
    size_t count = t == NULL ? 0 : kith_template_cells(t, c, all);
    for (size_t i = 0; i < count; i++) {
        if (cell_followed(n, all[i].subject)) {
            return true;
        }
    }
    return false;
}
