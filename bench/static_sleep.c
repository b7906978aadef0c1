/* A static program that sleeps: what a process costs at the least. Linked
 * without anything of ours; see idle.c. */
#include <unistd.h>

int main(void)
{
	char byte;

	return (int)read(0, &byte, 1);
}
