/*
 * replay.c - main() of a fuzz target without libFuzzer: run it over its corpus, and over each corpus
 * file cut at every length and with every byte replaced in turn. A crash, a hang or a sanitizer's
 * report fails the test. Prints TAP, one line per file. Usage: TARGET [CORPUS-DIRECTORY]; without
 * one: $top_srcdir/tests/fuzz/corpus/NAME, where the program is called NAME_fuzz.test.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "tests/fuzz/fuzz.h"

#define CORPUS_FILE_MAX 65536
#define MUTATED_MAX	2048 /* longer files are only replayed as they are */

/* Bytes that mean something to one format or another; and every bit is turned as well. */
static const unsigned char replacements[] = {
	0x00, 0x01, 0x7f, 0x80, 0xff, '\n', '"', '\\', '[', '{', '}', ']', '=', ' ', '0', '9'};

/* A copy of exactly this size, so that the address sanitizer sees one byte too far. */
static void run(const unsigned char *data, size_t size)
{
	auto_free unsigned char *copy = malloc(size > 0 ? size : 1);

	if (!copy) {
		printf("Bail out! out of memory\n");
		exit(1);
	}
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
}

static void run_mutations(unsigned char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char original = data[i];

		run(data, i);
		for (size_t j = 0; j < sizeof(replacements); j++) {
			data[i] = replacements[j];
			run(data, size);
		}
		for (int bit = 0; bit < 8; bit++) {
			data[i] = (unsigned char)(original ^ (1u << bit));
			run(data, size);
		}
		data[i] = original;
	}
}

static int is_corpus_file(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int replay_file(int dirfd, const char *name)
{
	auto_free char *data = NULL;
	struct error err;
	ssize_t size = file_read_all_at(dirfd, name, CORPUS_FILE_MAX, &data, &err);

	if (size < 0) {
		printf("# %s\n", err.text);
		return -1;
	}
	run((unsigned char *)data, (size_t)size);
	if (size <= MUTATED_MAX)
		run_mutations((unsigned char *)data, (size_t)size);
	return 0;
}

/* The corpus that belongs to this program, by its name. */
static const char *corpus_of(const char *program, char *buffer, size_t size)
{
	const char *slash = strrchr(program, '/');
	const char *name = slash ? slash + 1 : program;
	const char *end = strstr(name, "_fuzz");
	const char *top = getenv("top_srcdir");

	snprintf(buffer, size, "%s/tests/fuzz/corpus/%.*s", top ? top : ".",
		(int)(end ? end - name : (long)strlen(name)), name);
	return buffer;
}

int main(int argc, char **argv)
{
	char buffer[4096];
	const char *directory = argc > 1 ? argv[1] : corpus_of(argv[0], buffer, sizeof(buffer));
	struct dirent **entries;
	int count = scandir(directory, &entries, is_corpus_file, alphasort);
	DIR *dir = opendir(directory);
	int failed = 0;

	if (count <= 0 || !dir) {
		printf("Bail out! no corpus in %s\n", directory);
		return 1;
	}
	printf("1..%d\n", count);
	for (int i = 0; i < count; i++) {
		int r = replay_file(dirfd(dir), entries[i]->d_name);

		printf("%s %d - %s\n", r == 0 ? "ok" : "not ok", i + 1, entries[i]->d_name);
		fflush(stdout);
		failed |= r;
		free(entries[i]);
	}
	free(entries);
	closedir(dir);
	return failed ? 1 : 0;
}
