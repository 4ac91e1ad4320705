/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of our own making, and their end. */
#ifndef CONFORM_TREE_H
#define CONFORM_TREE_H

#include <stdbool.h>
#include <stddef.h>

/* A fresh folder under $TMPDIR or /tmp, mode 0700. */
bool tree_make(const char *name, char *ret_path, size_t size);
/* The folder with all that is in it; follows no symlink. Gone already is fine. */
void tree_remove(const char *path);

#endif
