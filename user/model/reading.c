// SPDX-License-Identifier: GPL-2.0-only
#include "model/reading.h"

#include <stdlib.h>

void reading_free(struct reading *reading)
{
	rows_free(&reading->rows);
	rows_free(&reading->by_thread);
	rows_free(&reading->fds);
	rows_free(&reading->loops);
	free(reading->signs);
	free(reading->listening);
	reading->listening = NULL;
	reading->nr_listening = 0;
	reading->signs = NULL;
	reading->nr_signs = 0;
	free(reading->threads);
	reading->threads = NULL;
	reading->nr_threads = 0;
	free(reading->in_flight);
	reading->in_flight = NULL;
	reading->nr_in_flight = 0;
	reading->nr_left_out = 0;
}
