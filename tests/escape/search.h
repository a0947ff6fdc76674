/*
 * search.h - look for a secret in every byte that can be read: files, /proc, the memory of processes.
 *
 * The secret comes disguised, and is undisguised byte by byte only, so that whoever searches does not
 * find himself.
 */
#ifndef TESTS_ESCAPE_SEARCH_H
#define TESTS_ESCAPE_SEARCH_H
#include <stddef.h>
#include <sys/types.h>

#define SEARCH_DISGUISE 1 /* is added to each byte */

/* Print "found PATH" for each file of / that has it, then "searched". An exit status. */
int search_everything(const char *disguised);
/* How often it is in the memory of a process that may be read. -errno: it may not. */
int search_memory(pid_t pid, const char *disguised);
#endif
