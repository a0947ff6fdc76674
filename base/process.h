/*
 * process.h - children that end with the process that made them, however early it ends; signals that it was to
 * ignore.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H
#include <signal.h>
#include <sys/types.h>

/*
 * In a child: from now on it is killed (SIGKILL) when the thread that made it ends; at once, when
 * that has ended before. parent: the maker's getpid(), taken before. A change of ids by the child
 * undoes it. Not for the first process of a pid namespace, which sees no parent.
 */
void process_die_with(pid_t parent);

/* fork() of a child that does so. -1 and errno. */
pid_t process_fork(void);

/*
 * Take out of a set what is ignored, because whoever started us has asked for that (nohup; a shell for what runs
 * in its background): a signalfd gets what is blocked even then.
 */
void process_leave_ignored(sigset_t *set);
#endif
