/* file.h: small files by directory and name, and what is left when something fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"

struct fixture {
	char directory[32];
	int dirfd;
	struct error err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	strcpy(f->directory, "/tmp/hearth-file-XXXXXX");
	if (!mkdtemp(f->directory))
		return -1;
	f->dirfd = open(f->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = f;
	return f->dirfd < 0 ? -1 : 0;
}

/* Fails when a test has left anything but "f" behind, such as a temporary file. */
static int tear_down(void **state)
{
	struct fixture *f = *state;
	int r;

	unlinkat(f->dirfd, "f", 0);
	fd_close(f->dirfd);
	r = rmdir(f->directory);
	free(f);
	return r;
}

static void write_f(struct fixture *f, const char *text)
{
	assert_int_equal(file_replace_at(f->dirfd, "f", text, strlen(text), 0600, &f->err), 0);
}

static void f_holds(struct fixture *f, const char *text)
{
	char buffer[64];

	assert_int_equal(
		file_read_at(f->dirfd, "f", buffer, sizeof(buffer), &f->err), strlen(text));
	assert_string_equal(buffer, text);
}

static void file_is_read_and_terminated(void **state)
{
	struct fixture *f = *state;
	char buffer[6];

	memset(buffer, 'z', sizeof(buffer));
	write_f(f, "12345");
	assert_int_equal(file_read_at(f->dirfd, "f", buffer, sizeof(buffer), &f->err), 5);
	assert_string_equal(buffer, "12345");
}

static void file_that_does_not_fit_is_refused(void **state)
{
	struct fixture *f = *state;
	char buffer[5];

	write_f(f, "12345");
	assert_int_equal(file_read_at(f->dirfd, "f", buffer, sizeof(buffer), &f->err), -EFBIG);
	assert_string_equal(f->err.text, "read f: longer than 4 bytes");
}

static void empty_file_is_an_empty_text(void **state)
{
	struct fixture *f = *state;

	write_f(f, "");
	f_holds(f, "");
}

static void missing_file_is_told(void **state)
{
	struct fixture *f = *state;
	char buffer[5];

	assert_int_equal(file_read_at(f->dirfd, "f", buffer, sizeof(buffer), &f->err), -ENOENT);
	assert_string_equal(f->err.text, "open f: No such file or directory");
	assert_int_equal(file_write_at(f->dirfd, "f", "x", &f->err), -ENOENT);
}

static void directory_cannot_be_read(void **state)
{
	struct fixture *f = *state;
	char buffer[5];

	assert_int_equal(file_read_at(f->dirfd, ".", buffer, sizeof(buffer), &f->err), -EISDIR);
}

static void whole_file_comes_in_a_buffer_of_its_own(void **state)
{
	struct fixture *f = *state;
	auto_free char *text = NULL;

	write_f(f, "12345");
	assert_int_equal(file_read_all_at(f->dirfd, "f", 5, &text, &f->err), 5);
	assert_string_equal(text, "12345");
}

static void whole_file_has_a_limit(void **state)
{
	struct fixture *f = *state;
	char *text = NULL;

	write_f(f, "12345");
	assert_int_equal(file_read_all_at(f->dirfd, "f", 4, &text, &f->err), -EFBIG);
	assert_null(text);
}

static void write_changes_an_existing_file(void **state)
{
	struct fixture *f = *state;

	write_f(f, "12345");
	assert_int_equal(file_write_at(f->dirfd, "f", "ab", &f->err), 0);
	f_holds(f, "ab345"); /* as a kernel knob wants it: no truncation */
}

static void write_that_the_kernel_refuses_is_told(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(file_write_at(AT_FDCWD, "/dev/full", "x", &f->err), -ENOSPC);
	assert_string_equal(f->err.text, "write /dev/full: No space left on device");
}

static void replace_gives_the_mode_and_the_whole_content(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	write_f(f, "a long first version");
	assert_int_equal(file_replace_at(f->dirfd, "f", "short", 5, 0640, &f->err), 0);
	f_holds(f, "short");
	assert_int_equal(fstatat(f->dirfd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

static void replace_that_fails_leaves_the_old_one_and_no_temporary(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdirat(f->dirfd, "d", 0700), 0);
	assert_int_equal(file_replace_at(f->dirfd, "d", "x", 1, 0600, &f->err), -EISDIR);
	assert_int_equal(unlinkat(f->dirfd, "d", AT_REMOVEDIR), 0);
	assert_int_equal(faccessat(f->dirfd, ".d.new", F_OK, 0), -1);
}

static void replace_does_not_follow_a_link_in_its_way(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(symlinkat("f", f->dirfd, ".g.new"), 0);
	assert_int_equal(file_replace_at(f->dirfd, "g", "x", 1, 0600, &f->err), -ELOOP);
	assert_int_equal(faccessat(f->dirfd, "f", F_OK, 0), -1);
	assert_int_equal(unlinkat(f->dirfd, ".g.new", 0), 0);
}

static void replace_refuses_a_name_that_is_too_long(void **state)
{
	struct fixture *f = *state;
	char name[300];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(file_replace_at(f->dirfd, name, "x", 1, 0600, &f->err), -ENAMETOOLONG);
}

static void directories_are_made_all_the_way(void **state)
{
	struct fixture *f = *state;
	char path[64];

	snprintf(path, sizeof(path), "%s/a/b/c", f->directory);
	assert_int_equal(file_make_directories(path, 0700, &f->err), 0);
	assert_int_equal(file_make_directories(path, 0700, &f->err), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(rmdir(path), 0);
		*strrchr(path, '/') = '\0';
	}
}

static void directory_below_a_file_cannot_be_made(void **state)
{
	struct fixture *f = *state;
	char path[64];

	write_f(f, "x");
	snprintf(path, sizeof(path), "%s/f/b", f->directory);
	assert_int_equal(file_make_directories(path, 0700, &f->err), -ENOTDIR);
}

static void directory_path_has_a_limit(void **state)
{
	struct fixture *f = *state;
	char path[5000];

	memset(path, 'n', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(file_make_directories(path, 0700, &f->err), -ENAMETOOLONG);
	assert_int_equal(file_make_directories("", 0700, &f->err), -ENAMETOOLONG);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(file_is_read_and_terminated),
		T(file_that_does_not_fit_is_refused),
		T(empty_file_is_an_empty_text),
		T(missing_file_is_told),
		T(directory_cannot_be_read),
		T(whole_file_comes_in_a_buffer_of_its_own),
		T(whole_file_has_a_limit),
		T(write_changes_an_existing_file),
		T(write_that_the_kernel_refuses_is_told),
		T(replace_gives_the_mode_and_the_whole_content),
		T(replace_that_fails_leaves_the_old_one_and_no_temporary),
		T(replace_does_not_follow_a_link_in_its_way),
		T(replace_refuses_a_name_that_is_too_long),
		T(directories_are_made_all_the_way),
		T(directory_below_a_file_cannot_be_made),
		T(directory_path_has_a_limit),
	};

	return cmocka_run_group_tests_name("base/file", tests, NULL, NULL);
}
