/* SPDX-License-Identifier: Apache-2.0 */
/* Every promise of a carrier, in the order of a life: carrier/suite.h. The URLs that it
 * is run against stand in src/carrier/meson.build. */
#include "carrier/suite.h"
#include "test.h"

bool test_bad;
const char *test_skip;

#define CASE(name)                                                                         \
    { #name, name }

static const test_case cases[] = {
    CASE(opens_and_closes_a_hundred_times),
    CASE(says_what_it_is),
    CASE(refuses_what_is_no_subject_and_no_pattern),
    CASE(refuses_lengths_outside_the_packet),
    CASE(keeps_every_byte_of_every_size),
    CASE(w5_patterns_mean_the_same_everywhere),
    CASE(counts_follows_and_unfollows),
    CASE(follows_sixty_four_patterns_and_no_more),
    CASE(two_readers_get_all),
    CASE(many_writers_reach_one_reader),
    CASE(settles_everything_it_took),
    CASE(nothing_is_lost_in_silence),
    CASE(sync_frames_go_where_they_can),
    CASE(a_late_joiner_begins_where_it_likes),
    CASE(goes_on_from_its_cursor),
    CASE(keeps_a_repeated_packet_once),
    CASE(p7_opening_survives_each_failed_allocation),
    CASE(post_and_pull_allocate_nothing),
    CASE(its_descriptor_wakes_the_sleeper),
    CASE(closing_in_the_middle_ends_in_time),
    CASE(a_random_walk_keeps_the_rules),
};
TEST_MAIN(cases)
