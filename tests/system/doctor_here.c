/*
 * The doctor's checks on the kernel that runs this, whichever that is: it also runs in the guest of
 * tests/system/qemu. What is missing there has its fallback, so that no required check fails.
 */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "nsjail-lite/doctor/doctor.h"

#define STORE	  "/var/lib/hearth/images"
#define RESULTS	  128
#define SANDBOXES 5 /* checks that build one, at the end of the table */

static struct doctor_result results[RESULTS];
static unsigned result_count;
static struct doctor_summary summary;

static void keep(void *arg, const struct doctor_result *result)
{
	(void)arg;
	assert_true(result_count < RESULTS);
	results[result_count++] = *result;
}

/* A user hearth for us alone: a host need not have one to have a good kernel. */
static void give_user(void)
{
	static const char users[] = "root:x:0:0::/:/bin/sh\nhearth:x:64999:64999::/:/bin/false\n";
	char path[] = "/tmp/hearth-doctor-here.XXXXXX";
	auto_close int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, users, sizeof(users) - 1), 0);
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount(path, "/etc/passwd", NULL, MS_BIND, NULL), 0);
	assert_int_equal(unlink(path), 0);
}

static int set_up(void **state)
{
	const struct doctor_options options = {.store = STORE, .user = "hearth"};

	(void)state;
	give_user();
	doctor_run(&options, keep, NULL, &summary);
	for (unsigned i = 0; i < result_count; i++)
		if (results[i].verdict != DOCTOR_PASS)
			print_message("# %s: %s: %s\n", doctor_verdict_name(results[i].verdict),
				results[i].name, results[i].detail);
	return 0;
}

static void no_required_check_fails_on_this_kernel(void **state)
{
	(void)state;
	assert_int_equal(summary.count[DOCTOR_FAIL], 0);
	assert_int_equal(summary.count[DOCTOR_UNKNOWN], 0);
	assert_false(summary.is_failed || summary.is_incomplete);
}

static void sandboxes_hold_on_this_kernel(void **state)
{
	(void)state;
	assert_true(result_count > SANDBOXES);
	for (unsigned i = result_count - SANDBOXES; i < result_count; i++)
		assert_int_equal(results[i].verdict, DOCTOR_PASS);
}

static void a_warning_has_a_cause_and_a_fix(void **state)
{
	(void)state;
	for (unsigned i = 0; i < result_count; i++) {
		bool is_pass = results[i].verdict == DOCTOR_PASS;

		assert_true(is_pass || results[i].detail[0]);
		assert_int_equal(is_pass, !results[i].fix[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_required_check_fails_on_this_kernel),
		cmocka_unit_test(sandboxes_hold_on_this_kernel),
		cmocka_unit_test(a_warning_has_a_cause_and_a_fix),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
