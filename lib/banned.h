/*
 * Calls that have no safe use here become compile errors. The Makefile
 * includes this header into every file of ours (-include), so that nobody can
 * forget to.
 *
 * Instead: memcpy with a known length, struct buf (buf.h), parse_u64()
 * (parse.h), gmtime_r, getrandom, and flock or open-file-description locks:
 * a POSIX lock is dropped by any unrelated close of the same file.
 */
#ifndef BANNED_H
#define BANNED_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#undef strcpy
#undef strcat
#undef sprintf
#undef vsprintf
#undef strtok
#undef atoi
#undef atol
#undef gets
#undef localtime
#undef gmtime
#undef rand
#undef srand
#undef F_GETLK
#undef F_SETLK
#undef F_SETLKW

#pragma GCC poison strcpy strcat sprintf vsprintf strtok
#pragma GCC poison atoi atol gets localtime gmtime rand srand
#pragma GCC poison F_GETLK F_SETLK F_SETLKW

#endif
