/* What a client says on standard error: lines for people, and on a terminal one
 * line of progress, which whatever is said next replaces. */
#ifndef CLIENTS_SAY_H
#define CLIENTS_SAY_H

/* The program's name, which each client has for itself. */
extern const char say_name[];

/* A line, behind the name. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The line of progress; nothing where standard error is no terminal. */
void progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void progress_end(void);

#endif
