/*
 * bench/static_byte: answers one byte, the least that a program started for a
 * connection can do. Linked statically; what bench/connect compares with.
 */
#include <unistd.h>

int main(void)
{
	return write(1, "x", 1) == 1 ? 0 : 1;
}
