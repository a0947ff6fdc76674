/*
 * builder_messages.h - what a builder says on its link.
 */
#ifndef SUPERVISOR_BUILDER_MESSAGES_H
#define SUPERVISOR_BUILDER_MESSAGES_H
struct builder_link;
struct error;

/*
 * Take one message and act on it. 0; -EAGAIN: none there (expected); other -errno: the builder is of
 * no more use, with the reason in *err.
 */
int builder_messages_receive(struct builder_link *builder, struct error *err);
#endif
