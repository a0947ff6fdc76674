/* image.h and store.h: opening, listing, verifying and removing what is in a store. */
#include "tests/unit/images_world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "images/manifest.h"
#include "images/store.h"

static int open_and_close(struct world *w, const char *name)
{
	struct image image;
	int r = image_open(w->store, name, &image, &w->err);

	if (r == 0)
		image_close(&image);
	return r;
}

static void an_image_is_opened_with_its_manifest(void **state)
{
	struct world *w = *state;
	struct image image;

	world_image(w, "base");
	assert_int_equal(image_open(w->store, "base", &image, &w->err), 0);
	assert_int_equal(faccessat(image.root_fd, "bin/tool", X_OK, 0), 0);
	assert_string_equal(image.manifest.cwd, "/etc");
	assert_string_equal(image.manifest.env[0], "PATH=/bin");
	image_close(&image);
}

static void what_is_not_there_is_not_found(void **state)
{
	struct world *w = *state;
	struct image image;

	assert_int_equal(open_and_close(w, "base"), -ENOENT);
	world_says(w, "image base: not in the store");
	assert_int_equal(image_open("/nonexistent", "base", &image, &w->err), -ENOENT);
	assert_int_equal(image_remove(w->store, "base", &w->err), -ENOENT);
	assert_int_equal(image_verify(w->store, "base", NULL, &w->err), -ENOENT);
	assert_int_equal(image_remove("/nonexistent", "base", &w->err), -ENOENT);
}

static void a_name_cannot_leave_the_store(void **state)
{
	struct world *w = *state;
	static const char *const names[] = {"", ".", "..", "../x", "a/b", "/etc", "Base", "a b",
		".base.building", "a\n", "0123456789012345678901234567890123456789"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(open_and_close(w, names[i]), -EINVAL);
		assert_int_equal(image_remove(w->store, names[i], &w->err), -EINVAL);
		assert_int_equal(image_build(w->store, names[i], NULL, &w->err), -EINVAL);
		assert_false(image_has_recipe(names[i]));
	}
}

static void an_image_without_a_recipe_is_not_built(void **state)
{
	struct world *w = *state;

	assert_false(image_has_recipe("no-such-recipe"));
	assert_int_equal(image_build(w->store, "no-such-recipe", NULL, &w->err), -ENOENT);
	world_says(w, "no recipe");
}

static void broken_images_are_told_from_missing_ones(void **state)
{
	struct world *w = *state;

	world_image(w, "base");
	world_file(w, "base/manifest.json", "{}", 0644);
	assert_int_equal(open_and_close(w, "base"), -EPROTO);
	world_says(w, "manifest.json");
	world_remove(w, "base/manifest.json");
	assert_int_equal(open_and_close(w, "base"), -EPROTO);
	world_directory(w, "base/manifest.json", 0755);
	assert_int_equal(open_and_close(w, "base"), -EPROTO);
	world_file(w, "file", "", 0644);
	assert_int_equal(open_and_close(w, "file"), -EPROTO);
}

/* To open one is to wait for its writer, for ever. */
static void a_fifo_in_place_of_a_file_is_not_waited_for(void **state)
{
	struct world *w = *state;

	alarm(20);
	world_image(w, "base");
	world_file(w, "base/root/etc/hosts", "127.0.0.2 localhost\n", 0644);
	world_remove(w, "base/files.txt");
	assert_int_equal(mkfifoat(w->store_fd, "base/files.txt", 0600), 0);
	assert_int_equal(image_verify(w->store, "base", NULL, &w->err), -EBADMSG);
	world_says(w, "files.txt");
	world_remove(w, "base/manifest.json");
	assert_int_equal(mkfifoat(w->store_fd, "base/manifest.json", 0600), 0);
	assert_int_equal(open_and_close(w, "base"), -EPROTO);
	world_says(w, "manifest.json");
	alarm(0);
}

static void an_image_is_not_reached_through_a_link(void **state)
{
	struct world *w = *state;

	world_image(w, "base");
	world_link(w, "other", "base");
	assert_int_equal(open_and_close(w, "other"), -EPROTO);
	world_remove(w, "base/root");
	assert_int_equal(open_and_close(w, "base"), -EPROTO);
	world_says(w, "root/");
	world_link(w, "base/root", "/");
	assert_int_equal(open_and_close(w, "base"), -EPROTO);
}

struct listing {
	char text[512];
};

static void list_one(void *arg, const struct image_manifest *manifest, const char *broken)
{
	struct listing *listing = arg;
	size_t used = strlen(listing->text);

	snprintf(listing->text + used, sizeof(listing->text) - used, "%s%s;", manifest->name,
		broken ? "!" : "");
	if (broken)
		assert_non_null(strstr(broken, "manifest.json"));
}

static void images_are_visited_in_order_and_broken_ones_say_why(void **state)
{
	struct world *w = *state;
	struct listing listing = {""};

	world_image(w, "tiny");
	world_image(w, "base");
	world_directory(w, "broken", 0755);
	world_directory(w, ".base.building", 0755);
	world_directory(w, ".cache", 0755);
	world_directory(w, "lost+found", 0755);
	assert_int_equal(image_for_each(w->store, list_one, &listing, &w->err), 0);
	assert_string_equal(listing.text, "base;broken!;tiny;");
}

static void a_store_that_was_never_made_is_empty(void **state)
{
	struct world *w = *state;
	struct listing listing = {""};

	assert_int_equal(image_for_each("/nonexistent", list_one, &listing, &w->err), 0);
	assert_string_equal(listing.text, "");
	assert_int_equal(image_for_each("/dev/null", list_one, &listing, &w->err), -ENOTDIR);
}

static void a_whole_image_verifies(void **state)
{
	struct world *w = *state;

	world_image(w, "base");
	assert_int_equal(image_verify(w->store, "base", NULL, &w->err), 0);
}

static void verify_names_the_flipped_byte(void **state)
{
	struct world *w = *state;

	world_image(w, "base");
	world_file(w, "base/root/etc/hosts", "127.0.0.2 localhost\n", 0644);
	assert_int_equal(image_verify(w->store, "base", NULL, &w->err), -EBADMSG);
	assert_string_equal(w->err.text, "image base: /etc/hosts: contents differ");
}

/* Who changes a file and its line in the list is found all the same. */
static void verify_does_not_believe_a_changed_list(void **state)
{
	struct world *w = *state;

	world_image(w, "base");
	world_file(w, "base/root/etc/hosts", "127.0.0.2 localhost\n", 0644);
	world_file(w, "base/files.txt", "d 0755 0 0 - - - /\n", 0644);
	assert_int_equal(image_verify(w->store, "base", NULL, &w->err), -EBADMSG);
	world_says(w, "files.txt");
	world_remove(w, "base/files.txt");
	assert_int_equal(image_verify(w->store, "base", NULL, &w->err), -EBADMSG);
	world_says(w, "files.txt");
}

static void a_removed_image_is_gone_and_others_stay(void **state)
{
	struct world *w = *state;

	world_image(w, "base");
	world_image(w, "tiny");
	assert_int_equal(image_remove(w->store, "base", &w->err), 0);
	assert_int_equal(open_and_close(w, "base"), -ENOENT);
	assert_int_equal(open_and_close(w, "tiny"), 0);
}

static void a_broken_image_can_be_removed(void **state)
{
	struct world *w = *state;

	world_directory(w, "empty", 0755);
	world_file(w, "file", "", 0644);
	world_link(w, "link", "/etc");
	assert_int_equal(image_remove(w->store, "empty", &w->err), 0);
	assert_int_equal(image_remove(w->store, "file", &w->err), 0);
	assert_int_equal(image_remove(w->store, "link", &w->err), 0);
	assert_false(world_has(w, "empty") || world_has(w, "file") || world_has(w, "link"));
	assert_int_equal(access("/etc/passwd", F_OK), 0);
}

/* A copy of the fd, in whatever process, holds the tree as well. */
static void an_image_in_use_is_not_removed(void **state)
{
	struct world *w = *state;
	struct image image;
	int copy;

	world_image(w, "base");
	assert_int_equal(image_open(w->store, "base", &image, &w->err), 0);
	copy = dup(image.root_fd);
	image_close(&image);
	assert_int_equal(image_remove(w->store, "base", &w->err), -EBUSY);
	world_says(w, "in use");
	assert_true(world_has(w, "base/root/bin/tool"));
	fd_close(copy);
	assert_int_equal(image_remove(w->store, "base", &w->err), 0);
}

static void an_image_is_not_opened_while_it_is_removed(void **state)
{
	struct world *w = *state;
	int root_fd;

	world_image(w, "base");
	assert_int_equal(store_claim(w->store_fd, "base", &root_fd, &w->err), 0);
	assert_int_equal(open_and_close(w, "base"), -EBUSY);
	fd_close(root_fd);
	assert_int_equal(open_and_close(w, "base"), 0);
}

static void one_process_at_a_time_changes_an_image(void **state)
{
	struct world *w = *state;
	int lock_fd;

	world_image(w, "base");
	lock_fd = store_lock(w->store_fd, "base", &w->err);
	assert_true(lock_fd >= 0);
	assert_int_equal(image_remove(w->store, "base", &w->err), -EBUSY);
	world_says(w, "another process");
	fd_close(lock_fd);
	assert_int_equal(image_remove(w->store, "base", &w->err), 0);
}

static void leftovers_are_swept_but_for_those_in_use_and_those_of_others(void **state)
{
	struct world *w = *state;
	int used;

	world_directory(w, ".base.building", 0700);
	world_tree(w, ".base.building/root");
	world_directory(w, ".base.old.12345678", 0700);
	world_tree(w, ".base.old.12345678/root");
	world_directory(w, ".base.old.87654321", 0700);
	world_directory(w, ".base2.building", 0700);
	world_directory(w, ".base2.old.12345678", 0700);
	used = openat(w->store_fd, ".base.old.12345678/root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(used, LOCK_SH), 0);
	assert_int_equal(store_sweep(w->store_fd, "base", &w->err), 0);
	assert_false(world_has(w, ".base.building"));
	assert_false(world_has(w, ".base.old.87654321"));
	assert_true(world_has(w, ".base.old.12345678/root/bin/tool"));
	assert_true(world_has(w, ".base2.building") && world_has(w, ".base2.old.12345678"));
	fd_close(used);
	assert_int_equal(store_sweep(w->store_fd, "base", &w->err), 0);
	assert_false(world_has(w, ".base.old.12345678"));
}

/* "base.old" is a name as well, and what its build is about begins as what base has hidden. */
static void the_build_of_a_name_that_goes_on_with_old_is_not_swept(void **state)
{
	struct world *w = *state;

	world_directory(w, ".base.old.building", 0700);
	world_file(w, ".base.old.lock", "", 0600);
	world_directory(w, ".base.old.old.12345678", 0700);
	world_directory(w, ".base.old.1234567", 0700);
	world_directory(w, ".base.old.123456789", 0700);
	assert_int_equal(store_sweep(w->store_fd, "base", &w->err), 0);
	assert_true(world_has(w, ".base.old.building") && world_has(w, ".base.old.lock") &&
		    world_has(w, ".base.old.old.12345678"));
	assert_true(world_has(w, ".base.old.1234567") && world_has(w, ".base.old.123456789"));
}

static void a_removal_that_was_interrupted_is_ended_by_the_next(void **state)
{
	struct world *w = *state;

	world_directory(w, ".base.old.12345678", 0700);
	world_tree(w, ".base.old.12345678/root");
	assert_int_equal(image_remove(w->store, "base", &w->err), -ENOENT);
	assert_false(world_has(w, ".base.old.12345678"));
}

/* A build that died just after its exchange left the image it replaced, which may be in use. */
static void a_replaced_tree_in_use_is_moved_out_of_the_way(void **state)
{
	struct world *w = *state;
	int used;

	world_directory(w, ".base.building", 0700);
	world_tree(w, ".base.building/root");
	used = openat(w->store_fd, ".base.building/root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(used, LOCK_SH), 0);
	assert_int_equal(store_sweep(w->store_fd, "base", &w->err), 0);
	assert_false(world_has(w, ".base.building"));
	assert_int_equal(faccessat(used, "bin/tool", X_OK, 0), 0);
	fd_close(used);
	assert_int_equal(store_sweep(w->store_fd, "base", &w->err), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(an_image_is_opened_with_its_manifest),
		T(what_is_not_there_is_not_found),
		T(a_name_cannot_leave_the_store),
		T(an_image_without_a_recipe_is_not_built),
		T(broken_images_are_told_from_missing_ones),
		T(a_fifo_in_place_of_a_file_is_not_waited_for),
		T(an_image_is_not_reached_through_a_link),
		T(images_are_visited_in_order_and_broken_ones_say_why),
		T(a_store_that_was_never_made_is_empty),
		T(a_whole_image_verifies),
		T(verify_names_the_flipped_byte),
		T(verify_does_not_believe_a_changed_list),
		T(a_removed_image_is_gone_and_others_stay),
		T(a_broken_image_can_be_removed),
		T(an_image_in_use_is_not_removed),
		T(an_image_is_not_opened_while_it_is_removed),
		T(one_process_at_a_time_changes_an_image),
		T(leftovers_are_swept_but_for_those_in_use_and_those_of_others),
		T(the_build_of_a_name_that_goes_on_with_old_is_not_swept),
		T(a_removal_that_was_interrupted_is_ended_by_the_next),
		T(a_replaced_tree_in_use_is_moved_out_of_the_way),
	};

	return cmocka_run_group_tests_name("images_store", tests, NULL, NULL);
}
