#include "tests/unit/cli_capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

char captured_out[65536], captured_err[65536];
static int files[2], saved[2];

void capture_begin(void)
{
	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		files[i] = memfd_create("captured", MFD_CLOEXEC);
		saved[i] = dup(i + 1);
		assert_true(files[i] >= 0 && saved[i] >= 0);
		assert_int_equal(dup2(files[i], i + 1), i + 1);
	}
}

void capture_end(void)
{
	char *texts[] = {captured_out, captured_err};

	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		ssize_t n = pread(files[i], texts[i], sizeof(captured_out) - 1, 0);

		assert_int_equal(dup2(saved[i], i + 1), i + 1);
		close(saved[i]);
		close(files[i]);
		texts[i][n > 0 ? n : 0] = '\0';
	}
}
