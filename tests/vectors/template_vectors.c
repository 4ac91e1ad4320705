/* SPDX-License-Identifier: Apache-2.0 */
/* template_vectors: what the library makes of documents and contexts, for a second
 * reader. stdin: "LENGTH VALUES\n" and LENGTH bytes of a document, again and again.
 * stdout: for each one line: "refused", or id, canonical text in hex, numbers, cells. */
#include <kith/template.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void hex(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) printf("%02x", bytes[i]);
}

static void show_context(const kith_template *t, const char *values) {
    kith_content c = { .type = KITH_LEAF, .has = KITH_HAS_CONTEXT16 };
    kith_address all[KITH_CELLS_MAX];
    memcpy(c.address.subject, "a.b", 4);
    if (kith_template_context(t, values, c.context16, NULL) < 0) {
        printf(" outside");
        return;
    }
    c.context16_count = kith_template_about(t)->numbers;
    for (unsigned i = 0; i < c.context16_count; i++) printf(" %u", c.context16[i]);
    size_t count = kith_template_cells(t, &c, all);
    for (size_t i = 0; i < count; i++) printf(" %s", all[i].subject);
    count = kith_template_follow(t, "a.b", c.context16, all);
    for (size_t i = 0; i < count; i++) printf(" %s", all[i].subject);
}

int main(void) {
    static char text[KITH_TEMPLATE_TEXT_MAX];
    char values[512];
    unsigned long length;
    while (scanf("%lu", &length) == 1 && length <= sizeof text && getchar() == ' ' &&
           fgets(values, sizeof values, stdin) != NULL) {
        kith_template *t = NULL;
        values[strcspn(values, "\n")] = '\0';
        if (fread(text, 1, length, stdin) != length) return 65;
        if (kith_template_parse(&t, text, length, NULL) < 0) {
            printf("refused\n");
            continue;
        }
        hex(kith_template_about(t)->id, KITH_TEMPLATE_SIZE);
        printf(" ");
        hex((const uint8_t *) kith_template_text(t), strlen(kith_template_text(t)));
        show_context(t, values);
        printf("\n");
        kith_template_free(&t);
    }
    return 0;
}
