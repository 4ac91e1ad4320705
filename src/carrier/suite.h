/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/suite.h - what every carrier promises in kith/carrier.h, run against the URL
 * in KITH_TEST_URL; '@' in it becomes a fresh folder for each case, '~' a fresh host.
 * A new carrier adds a line to src/carrier/meson.build, not a test. Time is told by
 * tick; where a carrier works on a thread of its own, the test waits on wake_fd. */
#ifndef CARRIER_SUITE_H
#define CARRIER_SUITE_H

#define TEST_PARTS /* of one program: see test.h */

enum {
    MANY = 300,
};

/* suite_link.c */
void opens_and_closes_a_hundred_times(void);
void says_what_it_is(void);
void refuses_what_is_no_subject_and_no_pattern(void);
void refuses_lengths_outside_the_packet(void);
void p7_opening_survives_each_failed_allocation(void);
void post_and_pull_allocate_nothing(void);
void its_descriptor_wakes_the_sleeper(void);
void closing_in_the_middle_ends_in_time(void);

/* suite_follow.c */
void keeps_every_byte_of_every_size(void);
void w5_patterns_mean_the_same_everywhere(void);
void counts_follows_and_unfollows(void);
void follows_sixty_four_patterns_and_no_more(void);
void two_readers_get_all(void);
void many_writers_reach_one_reader(void);

/* suite_past.c */
void settles_everything_it_took(void);
void nothing_is_lost_in_silence(void);
void sync_frames_go_where_they_can(void);
void a_late_joiner_begins_where_it_likes(void);
void goes_on_from_its_cursor(void);
void keeps_a_repeated_packet_once(void);

/* suite_walk.c */
void a_random_walk_keeps_the_rules(void);

#endif
