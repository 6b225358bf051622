// SPDX-License-Identifier: GPL-2.0-only
#include "top/news.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

/* More than can be looked through; beyond it what does not stand any more goes first. */
#define NEWS_MAX 512

static bool same(const struct finding *a, const struct finding *b)
{
	return a->rule == b->rule && a->tgid == b->tgid && a->fd == b->fd &&
	       !strcmp(a->object.buf, b->object.buf);
}

static struct headline *find(struct news *news, const struct finding *finding)
{
	for (u32 i = 0; i < news->count; i++) {
		if (same(&news->list[i].finding, finding))
			return &news->list[i];
	}
	return NULL;
}

bool headline_stands(const struct news *news, const struct headline *headline)
{
	return headline->last_ns == news->judged_ns;
}

static int order(const void *a, const void *b, void *arg)
{
	const struct headline *left = a, *right = b;
	const struct news *news = arg;
	int stands = headline_stands(news, right) - headline_stands(news, left);

	if (stands)
		return stands;
	if (left->finding.severity != right->finding.severity)
		return left->finding.severity > right->finding.severity ? -1 : 1;
	/* What is new is what is looked for. */
	if (left->first_ns != right->first_ns)
		return left->first_ns > right->first_ns ? -1 : 1;
	if (left->rank != right->rank)
		return left->rank < right->rank ? -1 : 1;
	return left->id < right->id ? -1 : left->id > right->id;
}

static void take(struct news *news, const struct finding *finding, u32 rank, u64 now_ns)
{
	struct headline *known = find(news, finding);

	if (!known) {
		news->list = reallocarray(news->list, news->count + 1, sizeof(*news->list));
		if (!news->list)
			errx(EXIT_RUNTIME, "out of memory");
		known = &news->list[news->count++];
		known->id = ++news->ids;
		known->first_ns = now_ns;
	}
	known->finding = *finding;
	known->rank = rank;
	known->last_ns = now_ns;
}

void news_take(struct news *news, const struct findings *findings, u64 now_ns)
{
	for (u32 i = 0; i < findings->count; i++)
		take(news, &findings->list[i], i, now_ns);
	news->judged_ns = now_ns;
	if (news->count)
		qsort_r(news->list, news->count, sizeof(*news->list), order, news);
	if (news->count > NEWS_MAX)
		news->count = NEWS_MAX;
}

void news_free(struct news *news)
{
	free(news->list);
	*news = (struct news){ 0 };
}

u32 news_count(const struct news *news, u32 tgid, s64 fd, enum severity *worst)
{
	u32 count = 0;

	*worst = SEVERITY_INFO;
	for (u32 i = 0; news && i < news->count; i++) {
		const struct finding *finding = &news->list[i].finding;

		if (!headline_stands(news, &news->list[i]) || (tgid && finding->tgid != tgid) ||
		    (fd >= 0 && finding->fd != fd))
			continue;
		count += 1 + finding->similar;
		if (finding->severity > *worst)
			*worst = finding->severity;
	}
	return count;
}
