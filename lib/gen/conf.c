/* Writes etc/parlance.conf from the table of settings. */
#include "lib/settings.h"

int main(void)
{
	settings_document(stdout);
	return 0;
}
