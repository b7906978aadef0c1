#include "handlers/hchat_assets.h"

#include <string.h>

#include "gen/web_assets.h"

const struct hchat_asset *hchat_asset_find(const char *name, size_t len)
{
	size_t count = sizeof assets / sizeof *assets;

	for (size_t i = 0; i < count; i++)
		if (strlen(assets[i].name) == len &&
		    memcmp(assets[i].name, name, len) == 0)
			return &assets[i];
	return NULL;
}
