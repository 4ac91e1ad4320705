/* SPDX-License-Identifier: Apache-2.0 */
/* rho as epsilon, against tests/golden/dp.json. */
#include "privacy/kit.h"
#include "privacy/release.h"
#include "test.h"

#include <math.h>

static bool close_to(double x, double want) {
    bool fine = fabs(x - want) <= 1e-9 * fmax(fabs(want), 1e-6) + 1e-15;
    if (!fine) printf("# %.17g is not %.17g\n", x, want);
    return fine;
}

static void epsilons_are_the_published_ones(void) {
    char *golden = kit_golden();
    EXPECT(golden != NULL);
    const char *at = strstr(golden, "\"rho_to_eps\"");
    for (int i = 0; i < 6; i++) {
        double rho = kit_number(&at, "rho"), simple = kit_number(&at, "simple");
        double tight = kit_number(&at, "tight"), gauss = kit_number(&at, "gauss");
        EXPECT(close_to(kith_rho_epsilon_simple(rho, KITH_DELTA), simple));
        EXPECT(close_to(kith_rho_epsilon(rho, KITH_DELTA), tight));
        EXPECT(gauss < tight && tight < simple);
    }
    at = strstr(golden, "\"eps_to_rho\"");
    for (int i = 0; i < 5; i++) {
        double eps = kit_number(&at, "eps"), rho = kit_number(&at, "rho");
        EXPECT(close_to(kith_epsilon_rho(eps, KITH_DELTA), rho));
        double sigma = kit_number(&at, "sigma_at_sensitivity_1");
        EXPECT(close_to(1 / sqrt(2 * kith_epsilon_rho(eps, KITH_DELTA)), sigma));
    }
    free(golden);
}

static void conversions_are_safe_everywhere(void) {
    double before = 0;
    for (double rho = 1e-12; rho < 100; rho *= 1.3) {
        double tight = kith_rho_epsilon(rho, KITH_DELTA);
        EXPECT(isfinite(tight) && tight >= before);
        EXPECT(tight <= kith_rho_epsilon_simple(rho, KITH_DELTA));
        double back =
            kith_epsilon_rho(kith_rho_epsilon_simple(rho, KITH_DELTA), KITH_DELTA);
        EXPECT(fabs(back - rho) < 1e-9 * rho);
        EXPECT(kith_rho_epsilon(rho, 1e-9) >= tight);
        before = tight;
    }
    EXPECT(kith_rho_epsilon(0, KITH_DELTA) == 0 && kith_epsilon_rho(0, KITH_DELTA) == 0);
}

static void prices_are_exact_and_rounded_up(void) {
    uint64_t dice = 3;
    EXPECT_INT(ki_release_price(1, 1), KITH_RHO_ONE / 2);
    EXPECT_INT(ki_release_price(2, 2), KITH_RHO_ONE);
    EXPECT_INT(ki_release_price(1, 3), (KITH_RHO_ONE / 2 + 2) / 3);
    EXPECT(ki_release_price(1 << 20, 1) == UINT64_MAX);
    for (int i = 0; i < 20000; i++) {
        uint64_t far = 1 + dice_below(&dice, 1 << 10),
                 square = 1 + dice_below(&dice, 1 << 20);
        uint64_t price = ki_release_price(far, square), over = far * far;
        if (over / square > 100) continue;
        /* price = ceil(over 2^39 / square), looked at in two halves */
        uint64_t whole = over / square, rest = over % square;
        uint64_t want = (whole << 39) + (rest << 39) / square + ((rest << 39) % square > 0);
        EXPECT(price == want);
    }
}

static const test_case cases[] = {
    { "epsilons_are_the_published_ones", epsilons_are_the_published_ones },
    { "conversions_are_safe_everywhere", conversions_are_safe_everywhere },
    { "prices_are_exact_and_rounded_up", prices_are_exact_and_rounded_up },
};
TEST_MAIN(cases)
