/*
 * drop.h - from root to user hearth without capabilities, before a byte from a guest is read.
 */
#ifndef BASE_DROP_H
#define BASE_DROP_H
struct error;

#define DROP_USER "hearth" /* made by ./setup */

/*
 * For good: real, effective and saved ids, no groups, no capability, no_new_privs. Who is not root
 * keeps the ids and loses capabilities all the same. -ENOENT: there is no user hearth.
 */
int drop_privileges(struct error *err);
#endif
