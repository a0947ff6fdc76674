/* cli_capture.h - what the code under test prints to stdout and stderr, as text. */
#ifndef TESTS_UNIT_CLI_CAPTURE_H
#define TESTS_UNIT_CLI_CAPTURE_H

/* From here on both go into files of this process. */
void capture_begin(void);

/* Both are as before; what was printed is in these, valid until the next capture_begin(). */
void capture_end(void);
extern char captured_out[65536], captured_err[65536];
#endif
