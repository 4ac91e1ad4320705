/* SPDX-License-Identifier: Apache-2.0 */
/* address/golden.h - for tests: the rows of a file in tests/golden. */
#ifndef ADDRESS_GOLDEN_H
#define ADDRESS_GOLDEN_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN_CELLS 16

/* Calls each for every row behind the head, split at commas; the rows it was called
 * for, or -1: no such file. false from each ends it, and is -1 too. */
typedef bool (*golden_each)(char *cells[GOLDEN_CELLS]);

static inline int golden_rows(const char *name, golden_each each) {
    char path[1024], line[2048], *cells[GOLDEN_CELLS];
    const char *root = getenv("KITH_SOURCE");
    int rows = -1;
    snprintf(path, sizeof path, "%s/tests/golden/%s", root == NULL ? "." : root, name);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        char *at = line;
        line[strcspn(line, "\r\n")] = '\0';
        for (int i = 0; i < GOLDEN_CELLS; i++) {
            cells[i] = at;
            at += strcspn(at, ",");
            if (*at == ',') *at++ = '\0';
        }
        if (rows >= 0 && !each(cells)) {
            printf("# %s, row %d differs\n", name, rows + 1);
            rows = -1;
            break;
        }
        rows++;
    }
    if (f != NULL) fclose(f);
    return rows;
}

#endif
