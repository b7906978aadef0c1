/* etc/parlance.conf is what the table of settings says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/settings.h"

static void the_sample_settings_are_those_of_the_table(void **state)
{
	char made[16384], stands[16384];
	FILE *file = fmemopen(made, sizeof made, "w");
	size_t made_len, stands_len;

	(void)state;
	assert_non_null(file);
	settings_document(file);
	made_len = (size_t)ftell(file);
	assert_int_equal(fclose(file), 0);
	assert_true(made_len < sizeof made);
	file = fopen("etc/parlance.conf", "re");
	assert_non_null(file); /* run from the top folder, as tests/run does */
	stands_len = fread(stands, 1, sizeof stands, file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(made_len, stands_len);
	assert_memory_equal(made, stands, made_len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_sample_settings_are_those_of_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
