/* digest.h and file_list.h: what is part of a tree's digest, and how a difference is told. */
#include "tests/unit/images_world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "images/file_list.h"
#include "images/tree.h"

/* The digest changes, and the lists tell it in these words. */
static void differs(struct world *w, struct digest_tree *was, const char *text)
{
	struct digest_tree is = world_digest(w, "t");

	assert_string_not_equal(was->digest, is.digest);
	assert_int_equal(file_list_explain(was->list, is.list, &w->err), -EBADMSG);
	assert_string_equal(w->err.text, text);
	digest_finish(was);
	digest_finish(&is);
}

static struct digest_tree tree_of(struct world *w)
{
	world_tree(w, "t");
	return world_digest(w, "t");
}

static void a_tree_has_one_digest(void **state)
{
	struct world *w = *state;
	struct digest_tree first = tree_of(w), second = world_digest(w, "t");

	assert_string_equal(first.digest, second.digest);
	assert_string_equal(first.list, second.list);
	assert_int_equal(first.entries, 8);
	assert_int_equal(first.bytes, strlen("what the tool does127.0.0.1 localhost\n"));
	digest_finish(&first);
	digest_finish(&second);
}

static void one_flipped_byte_is_found(void **state)
{
	struct world *w = *state;
	struct digest_tree was = tree_of(w);

	world_file(w, "t/bin/tool", "what the tool Does", 0755);
	differs(w, &was, "/bin/tool: contents differ");
}

static void a_changed_mode_is_found(void **state)
{
	struct world *w = *state;
	struct digest_tree was = tree_of(w);

	world_file(w, "t/bin/tool", "what the tool does", 04755);
	differs(w, &was, "/bin/tool: mode is 4755 and was 0755");
}

static void the_mode_of_the_top_is_part_of_it(void **state)
{
	struct world *w = *state;
	struct digest_tree was = tree_of(w);

	assert_int_equal(fchmodat(w->store_fd, "t", 0700, 0), 0);
	differs(w, &was, "/: mode is 0700 and was 0755");
}

static void a_longer_file_is_found(void **state)
{
	struct world *w = *state;
	struct digest_tree was = tree_of(w);

	world_file(w, "t/bin/tool", "what the tool does.", 0755);
	differs(w, &was, "/bin/tool: size is 19 and was 18");
}

static void an_added_entry_is_found(void **state)
{
	struct world *w = *state;
	struct digest_tree was = tree_of(w);

	world_directory(w, "t/etc/added", 0755);
	differs(w, &was, "/etc/added: added");
}

static void an_entry_added_at_the_end_is_found(void **state)
{
	struct world *w = *state;
	struct digest_tree was = tree_of(w);

	world_directory(w, "t/zzz", 0755);
	differs(w, &was, "/zzz: added");
}

static void a_removed_entry_is_found(void **state)
{
	struct world *w = *state;
	struct digest_tree was = tree_of(w);

	world_remove(w, "t/bin");
	differs(w, &was, "/bin: removed");
}

static void an_entry_removed_at_the_end_is_found(void **state)
{
	struct world *w = *state;
	struct digest_tree was = tree_of(w);

	world_remove(w, "t/etc/pipe");
	differs(w, &was, "/etc/pipe: removed");
}

static void a_retargeted_link_is_found(void **state)
{
	struct world *w = *state;
	struct digest_tree was = tree_of(w);

	world_link(w, "t/etc/link", "/etc/shadow");
	differs(w, &was, "/etc/link: points to /etc/shadow and pointed to hosts");
}

static void an_entry_of_another_type_is_found(void **state)
{
	struct world *w = *state;
	struct digest_tree was = tree_of(w);

	world_link(w, "t/etc/pipe", "hosts");
	differs(w, &was, "/etc/pipe: type is l and was p");
}

static void times_are_no_part_of_it(void **state)
{
	struct world *w = *state;
	const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	struct digest_tree was = tree_of(w), is;

	assert_int_equal(utimensat(w->store_fd, "t/bin/tool", times, 0), 0);
	is = world_digest(w, "t");
	assert_string_equal(was.digest, is.digest);
	digest_finish(&was);
	digest_finish(&is);
}

/* The list is canonical: a name can be mistaken neither for a field nor for a line. */
static void odd_names_are_escaped_and_stand_in_the_order_of_their_bytes(void **state)
{
	struct world *w = *state;
	static const char *const names[] = {"t/a\nb c", "t/a,\\", "t/a-", "t/\xff\xfe"};
	const char *at;
	struct digest_tree tree;

	world_directory(w, "t", 0755);
	world_directory(w, "t/a", 0755);
	world_file(w, "t/a/x", "", 0644);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		world_file(w, names[i], "", 0644);
	tree = world_digest(w, "t");
	at = tree.list;
	for (size_t i = 0; i < 7; i++) {
		static const char *const paths[] = {" /\n", " /a\n", " /a/x\n", " /a\\x0ab\\x20c\n",
			" /a\\x2c\\x5c\n", " /a-\n", " /\\xff\\xfe\n"};
		const char *found = strstr(at, paths[i]);

		assert_non_null(found);
		at = found + 1;
	}
	assert_null(strchr(tree.list, '\xff'));
	digest_finish(&tree);
}

static void odd_names_are_named_where_they_differ(void **state)
{
	struct world *w = *state;
	struct digest_tree was = tree_of(w);

	world_file(w, "t/etc/hosts\x01", "", 0644);
	differs(w, &was, "/etc/hosts\\x01: added");
}

static void owners_and_attributes_are_told(void **state)
{
	struct world *w = *state;
	static const char was[] = "d 0755 0 0 - - - /\nf 0644 0 0 1 aa - /f\n";

	assert_int_equal(
		file_list_explain(was, "d 0755 0 0 - - - /\nf 0644 7 0 1 aa - /f\n", &w->err),
		-EBADMSG);
	assert_string_equal(w->err.text, "/f: owner is 7 and was 0");
	file_list_explain(was, "d 0755 0 0 - - - /\nf 0644 0 8 1 aa - /f\n", &w->err);
	assert_string_equal(w->err.text, "/f: group is 8 and was 0");
	file_list_explain(was, "d 0755 0 0 - - - /\nf 0644 0 0 1 aa user.a=00 /f\n", &w->err);
	assert_string_equal(w->err.text, "/f: extended attributes differ");
}

static void a_list_that_is_none_says_nothing(void **state)
{
	struct world *w = *state;
	static const char *const lists[] = {"", "\n", "f", "f 1 2", "f 0644 0 0 1 aa - /f",
		"f 0644 0 0 1 aa -  /f\n", "\\x", "f 0644 0 0 1 aa - \\x0\n"};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		assert_int_equal(file_list_explain(lists[i], "", &w->err), -EBADMSG);
		assert_int_equal(file_list_explain("", lists[i], &w->err), -EBADMSG);
	}
	world_says(w, "added");
	file_list_explain("f 1 2", "f 1 2 3", &w->err);
	world_says(w, "does not say where");
}

/* A tree of depth levels, each in the one before. */
static void dig(struct world *w, unsigned depth)
{
	int fd = dup(w->store_fd);

	for (unsigned i = 0; i < depth; i++) {
		int below;

		assert_int_equal(mkdirat(fd, i ? "d" : "t", 0755), 0);
		below = openat(fd, i ? "d" : "t", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		fd_close(fd);
		fd = below;
	}
	fd_close(fd);
}

static void too_deep_a_tree_is_refused(void **state)
{
	struct world *w = *state;
	auto_close int fd = -1;
	struct digest_tree tree;

	dig(w, TREE_DEPTH_MAX + 2);
	fd = openat(w->store_fd, "t", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(digest_compute(fd, 0, NULL, &tree, &w->err), -ELOOP);
	assert_int_equal(tree_remove_at(w->store_fd, "t", &w->err), -ELOOP);
	/* In two parts it can be removed, which the tear-down does. */
	assert_int_equal(renameat(w->store_fd, "t/d/d/d/d", w->store_fd, "u"), 0);
}

struct reports {
	int last;
	unsigned count;
};

static void count_report(void *arg, int permille, const char *text)
{
	struct reports *reports = arg;

	assert_true(permille >= reports->last && permille <= 1000);
	assert_non_null(text);
	reports->last = permille;
	reports->count++;
}

static void progress_rises_with_the_bytes(void **state)
{
	struct world *w = *state;
	struct reports reports = {0, 0};
	struct image_progress progress = {count_report, &reports};
	struct digest_tree tree;
	auto_close int fd = -1;

	world_directory(w, "t", 0755);
	world_file(w, "t/big", "", 0644);
	fd = openat(w->store_fd, "t/big", O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 20 << 20), 0);
	fd_close(take_fd(&fd));
	fd = openat(w->store_fd, "t", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(digest_compute(fd, 20 << 20, &progress, &tree, &w->err), 0);
	assert_true(reports.count >= 4);
	assert_true(reports.last >= 800);
	digest_finish(&tree);
}

static void the_digest_of_no_bytes_is_that_of_fips_180(void **state)
{
	char digest[IMAGE_DIGEST_MAX];

	(void)state;
	assert_int_equal(digest_of_bytes("", 0, digest, NULL), 0);
	assert_string_equal(
		digest, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(a_tree_has_one_digest),
		T(one_flipped_byte_is_found),
		T(a_changed_mode_is_found),
		T(the_mode_of_the_top_is_part_of_it),
		T(a_longer_file_is_found),
		T(an_added_entry_is_found),
		T(an_entry_added_at_the_end_is_found),
		T(a_removed_entry_is_found),
		T(an_entry_removed_at_the_end_is_found),
		T(a_retargeted_link_is_found),
		T(an_entry_of_another_type_is_found),
		T(times_are_no_part_of_it),
		T(odd_names_are_escaped_and_stand_in_the_order_of_their_bytes),
		T(odd_names_are_named_where_they_differ),
		T(owners_and_attributes_are_told),
		T(a_list_that_is_none_says_nothing),
		T(too_deep_a_tree_is_refused),
		T(progress_rises_with_the_bytes),
		cmocka_unit_test(the_digest_of_no_bytes_is_that_of_fips_180),
	};

	return cmocka_run_group_tests_name("images_digest", tests, NULL, NULL);
}
