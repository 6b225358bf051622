/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOPHASE_VERSION_H
#define IOPHASE_VERSION_H

#define IOPHASE_VERSION "0.1.0"

/* Of the JSON document; docs/iophase.schema.json describes it. */
#define SCHEMA_VERSION 1

#endif
