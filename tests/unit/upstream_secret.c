/* secret.h: which keys are taken, where they lie, and that a text does not tell them. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agentd/upstream/secret.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"

#define KEY "sk-0123456789abcdef"

static struct secret *make(const char *text)
{
	struct secret *secret;

	assert_int_equal(secret_create(text, strlen(text), &secret, NULL), 0);
	return secret;
}

static void is_formatted(const struct secret *secret, const char *text)
{
	char buffer[64];

	assert_int_equal(secret_format(secret, "x: ", buffer, sizeof(buffer)), 0);
	assert_string_equal(buffer, text);
}

static void blanks_around_a_key_are_none_of_it(void **state)
{
	struct secret *secret = make(" \t" KEY "\r\n\n");
	char small[sizeof("x: " KEY) - 1];

	(void)state;
	is_formatted(secret, "x: " KEY);
	assert_int_equal(secret_format(secret, "x: ", small, sizeof(small)), -ENAMETOOLONG);
	secret_destroy(secret);
}

static void what_cannot_stand_in_a_header_is_no_key(void **state)
{
	static const char *const bad[] = {
		"", " \n", "a b", "a\nX-Other: b", "a\rb", "a\tb", "a\x7f", "a\xc3\xa9", "a\x01"};
	char text[SECRET_MAX + 1];
	struct secret *secret;
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(secret_create(bad[i], strlen(bad[i]), &secret, &err), -EINVAL);
		assert_null(strstr(err.text, "Other"));
	}
	assert_int_equal(secret_create("a\0b", 3, &secret, NULL), -EINVAL);
	memset(text, 'x', sizeof(text));
	assert_int_equal(secret_create(text, sizeof(text), &secret, NULL), -EINVAL);
	assert_int_equal(secret_create(text, SECRET_MAX, &secret, NULL), 0);
	secret_destroy(secret);
	secret_destroy(NULL);
}

/* The flags of the mapping at this address, as proc(5) has them: " rd wr ... ". */
static void flags_at(const void *address, char flags[static 256])
{
	FILE *maps = fopen("/proc/self/smaps", "re");
	char line[512], *dash;
	bool is_it = false;

	assert_non_null(maps);
	flags[0] = '\0';
	while (!flags[0] && fgets(line, sizeof(line), maps)) {
		uintptr_t from = strtoul(line, &dash, 16);

		if (*dash == '-')
			is_it = from <= (uintptr_t)address &&
				(uintptr_t)address < strtoul(dash + 1, NULL, 16);
		else if (is_it && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(flags, 256, "%.255s", line + 8);
	}
	fclose(maps);
}

static void a_key_is_neither_swapped_out_nor_dumped(void **state)
{
	struct secret *secret = make(KEY);
	char flags[256];

	(void)state;
	flags_at(secret, flags);
#ifndef __SANITIZE_ADDRESS__ /* under which mlock(2) does nothing */
	assert_non_null(strstr(flags, " lo"));
#endif
	assert_non_null(strstr(flags, " dd"));
	secret_destroy(secret);
}

struct directory {
	char path[64];
	int fd;
};

static int make_directory(void **state)
{
	struct directory *directory = calloc(1, sizeof(*directory));

	assert_non_null(directory);
	strcpy(directory->path, "/tmp/hearth-secret-XXXXXX");
	assert_non_null(mkdtemp(directory->path));
	directory->fd = open(directory->path, O_DIRECTORY | O_CLOEXEC);
	*state = directory;
	return 0;
}

static int remove_directory(void **state)
{
	static const char *const names[] = {"KEY", "LINK", "FIFO"};
	struct directory *directory = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlinkat(directory->fd, names[i], 0);
	fd_close(directory->fd);
	rmdir(directory->path);
	free(directory);
	return 0;
}

static void a_key_file_is_read_unless_others_may(void **state)
{
	struct directory *directory = *state;
	struct secret *secret = NULL;
	struct error err;
	auto_close int fd =
		openat(directory->fd, "KEY", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_int_equal(fd_write_full(fd, KEY "\n", sizeof(KEY)), 0);
	assert_int_equal(symlinkat("KEY", directory->fd, "LINK"), 0);
	assert_int_equal(secret_read(directory->path, "KEY", &secret, &err), 0);
	is_formatted(secret, "x: " KEY);
	secret_destroy(secret);
	assert_int_equal(secret_read(directory->path, "LINK", &secret, &err), 0);
	secret_destroy(secret);
	assert_int_equal(fchmod(fd, 0604), 0);
	assert_int_equal(secret_read(directory->path, "KEY", &secret, &err), -EACCES);
	assert_non_null(strstr(err.text, "/KEY: others may open it"));
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(secret_read(directory->path, "KEY", &secret, &err), -EINVAL);
}

static void what_is_no_file_is_no_key(void **state)
{
	struct directory *directory = *state;
	struct secret *secret;
	struct error err;

	assert_int_equal(secret_read(directory->path, "KEY", &secret, &err), -ENOENT);
	assert_int_equal(mkfifoat(directory->fd, "FIFO", 0600), 0);
	assert_int_equal(secret_read(directory->path, "FIFO", &secret, &err), -EINVAL);
	assert_int_equal(secret_read(directory->path, ".", &secret, &err), -EINVAL);
}

static void pieces_of_a_key_are_struck_out_of_a_text(void **state)
{
	static const struct {
		const char *text, *redacted;
	} rows[] = {
		{"", ""},
		{"nothing", "nothing"},
		{KEY, "*******************"},
		{"wrong: " KEY ".", "wrong: *******************."},
		{KEY KEY, "**************************************"},
		{"sk-01234", "********"},
		{"sk-0123", "sk-0123"}, /* too short to be worth anything */
		{"abcdef", "abcdef"},
		{"89abcdef", "********"},
		{"x0123456789x", "x**********x"},
		{"sk-01234sk-01234", "****************"},
	};
	struct secret *secret = make(KEY), *small = make("abc");
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		strcpy(text, rows[i].text);
		secret_redact(secret, text);
		assert_string_equal(text, rows[i].redacted);
	}
	strcpy(text, "ab abc");
	secret_redact(small, text);
	assert_string_equal(text, "ab ***");
	secret_redact(NULL, text);
	assert_string_equal(text, "ab ***");
	secret_destroy(secret);
	secret_destroy(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blanks_around_a_key_are_none_of_it),
		cmocka_unit_test(what_cannot_stand_in_a_header_is_no_key),
		cmocka_unit_test(a_key_is_neither_swapped_out_nor_dumped),
		cmocka_unit_test_setup_teardown(
			a_key_file_is_read_unless_others_may, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(
			what_is_no_file_is_no_key, make_directory, remove_directory),
		cmocka_unit_test(pieces_of_a_key_are_struck_out_of_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
