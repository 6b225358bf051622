// SPDX-License-Identifier: GPL-2.0-only
/* iophase stat: what was measured, as it is. */
#include "stat.h"

#include "doctor.h"
#include "measurement.h"
#include "options.h"
#include "output/output.h"
#include "weigh.h"

static const struct output *const outputs[] = {
	[FORMAT_TABLE] = &output_table,
	[FORMAT_JSON] = &output_json,
	[FORMAT_NDJSON] = &output_ndjson,
	[FORMAT_CSV] = &output_csv,
};

int stat_main(int argc, char **argv)
{
	struct options options;
	struct doctor doctor = doctor_default();
	int err = options_parse(&options, argc, argv);

	if (err)
		return -err - 1;
	/* A session has the signs of misuse, too, so that the doctor can be asked about it. */
	if (options.everything)
		options.doctor = &doctor;
	if (!options.weigh)
		return measurement_run(&options, outputs[options.format]);
	err = measurement_run(&options, options.weigh->folded ? &output_folded : &output_weighed);
	weigh_free(options.weigh);
	return err;
}
