/* SPDX-License-Identifier: Apache-2.0 */
/* Any text is a template or is refused; one that is, is its own canonical text, and
 * whatever context it reads, the cells it makes are subjects. */
#include <kith/address.h>
#include <kith/template.h>

#include "base/check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const kith_template *t, const char *values) {
    kith_content c = { .type = KITH_LEAF, .has = KITH_HAS_CONTEXT16 };
    kith_address all[KITH_CELLS_MAX];
    memcpy(c.address.subject, "a.b", 4);
    if (kith_template_context(t, values, c.context16, NULL) < 0) return;
    c.context16_count = kith_template_about(t)->numbers;
    size_t count = kith_template_cells(t, &c, all);
    for (size_t i = 0; i < count; i++) {
        CHECK(kith_subject_valid(all[i].subject));
        CHECK(kith_cell_base(all[i].subject) == 3);
    }
    CHECK(count == 0 || kith_template_meet(t, c.context16, c.context16));
    CHECK(kith_template_distance(t, c.context16, c.context16) == 0);
    (void) kith_template_fault(t, &c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    kith_template *t = NULL, *again = NULL;
    kith_error err;
    if (kith_template_parse(&t, (const char *) data, size, &err) < 0) return 0;
    const char *text = kith_template_text(t);
    CHECK(kith_template_parse(&again, text, strlen(text), &err) == 0);
    CHECK(strcmp(kith_template_text(again), text) == 0);
    CHECK(memcmp(kith_template_about(again)->id, kith_template_about(t)->id, 16) == 0);
    use(t, "0.5,0.5,0.5");
    use(t, "1,1,1,1,1,1,1,1,1,1,1,1");
    use(t, "1,a");
    use(t, "5");
    for (size_t i = 0; kith_template_lint(t, i) != NULL; i++) CHECK(i < 20);
    kith_template_free(&again);
    kith_template_free(&t);
    return 0;
}
