/* Stands between Sage and the disk: keeps what a power cut would leave, and plays a full disk.
 *
 * The test compiles it and has it preloaded. It acts on the files below SHIM_FOLDER only.
 *
 * SHIM_SHADOW   a folder that holds the store as a power cut would leave it: each file with its
 *               content at its last fsync, each name as of the folder's last fsync. That is all
 *               that POSIX promises; real file systems keep more.
 * SHIM_DEAF     files whose name ends so are not kept by fsync: the disk that lies.
 * SHIM_ROOM     how many bytes the files may still grow before the disk is full.
 * SHIM_FREED    once this file exists, there is room again.
 * SHIM_LOADED   made when the shim is loaded, to tell whether it is.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static atomic_llong grown;

__attribute__((constructor)) static void tell_that_it_is_loaded(void) {
    const char *path = getenv("SHIM_LOADED");
    if (path) close(open(path, O_CREAT | O_WRONLY, 0600));
}

static int ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* The file's name in the store, "" for the folder itself, NULL for anything else. The shared
 * memory of the store is no file to SQLite: it is made anew after a power cut. */
static const char *name_in_store(int fd, char *path, size_t size) {
    const char *folder = getenv("SHIM_FOLDER");
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (!folder || length < 0) return NULL;
    path[length] = 0;
    size_t prefix = strlen(folder);
    if (strncmp(path, folder, prefix) != 0) return NULL;
    if (path[prefix] == 0) return path + prefix;
    return path[prefix] == '/' ? path + prefix + 1 : NULL;
}

/* ---- the power cut ---- */

/* Reads through the descriptor at hand: to open the file again and close it would drop the locks
 * that this process holds on it. */
static void copy(int from, const char *to) {
    char part[PATH_MAX], buffer[65536];
    snprintf(part, sizeof part, "%s.part", to);
    int out = open(part, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    if (out < 0) abort();
    ssize_t count;
    for (off_t at = 0; (count = pread(from, buffer, sizeof buffer, at)) > 0; at += count)
        if (REAL(write)(out, buffer, count) != count) abort();
    close(out);
    if (rename(part, to)) abort();
}

/* A name that the folder's fsync has not seen yet waits in `pending`. */
static void keep_file(const char *shadow, const char *name, int fd) {
    char kept[PATH_MAX], pending[PATH_MAX];
    snprintf(kept, sizeof kept, "%s/kept/%s", shadow, name);
    snprintf(pending, sizeof pending, "%s/pending/%s", shadow, name);
    copy(fd, access(kept, F_OK) == 0 ? kept : pending);
}

static void keep_names(const char *shadow, const char *folder) {
    char kept[PATH_MAX], other[PATH_MAX];
    struct dirent *entry;
    DIR *now = opendir(folder);
    while (now && (entry = readdir(now))) {
        if (entry->d_name[0] == '.' || ends_with(entry->d_name, "-shm")) continue;
        snprintf(kept, sizeof kept, "%s/kept/%s", shadow, entry->d_name);
        snprintf(other, sizeof other, "%s/pending/%s", shadow, entry->d_name);
        if (access(kept, F_OK) == 0) continue;
        /* Its name is safe; without an fsync of its own its content is not. */
        if (rename(other, kept)) close(open(kept, O_CREAT | O_WRONLY, 0600));
    }
    if (now) closedir(now);
    snprintf(kept, sizeof kept, "%s/kept", shadow);
    DIR *before = opendir(kept);
    while (before && (entry = readdir(before))) {
        if (entry->d_name[0] == '.') continue;
        snprintf(other, sizeof other, "%s/%s", folder, entry->d_name);
        snprintf(kept, sizeof kept, "%s/kept/%s", shadow, entry->d_name);
        if (access(other, F_OK) != 0) unlink(kept);
    }
    if (before) closedir(before);
}

static int keep(int fd) {
    char path[PATH_MAX];
    const char *shadow = getenv("SHIM_SHADOW"), *deaf = getenv("SHIM_DEAF");
    const char *folder = getenv("SHIM_FOLDER");
    const char *name = name_in_store(fd, path, sizeof path);
    if (shadow && folder && !name && strncmp(folder, path, strlen(path)) == 0) name = "..";
    if (!shadow || !name) return -1;
    if (deaf && ends_with(name, deaf)) return 0;
    char lock_path[PATH_MAX];
    snprintf(lock_path, sizeof lock_path, "%s/syncs", shadow);
    /* An older copy of one process must not replace a newer one of another. */
    int lock = open(lock_path, O_CREAT | O_RDWR, 0600);
    if (lock < 0 || flock(lock, LOCK_EX)) abort();
    if (*name && strcmp(name, "..") != 0)
        keep_file(shadow, name, fd);
    else if (!*name)
        keep_names(shadow, path);
    /* One line a sync, for the test to count; ".." is the folder around the store. */
    lseek(lock, 0, SEEK_END);
    if (dprintf(lock, "%s\n", name) < 0) abort();
    close(lock);
    return 0;
}

int fsync(int fd) {
    return keep(fd) == 0 ? 0 : REAL(fsync)(fd);
}

int fdatasync(int fd) {
    return keep(fd) == 0 ? 0 : REAL(fdatasync)(fd);
}

/* ---- the full disk ---- */

/* How many of `count` bytes at `at` there is room for. To make a file longer without writing to it
 * takes no room on any common file system, so that ftruncate does not fail here either. */
static size_t room_for(int fd, size_t count, off_t at) {
    char path[PATH_MAX];
    struct stat info;
    const char *room = getenv("SHIM_ROOM"), *freed = getenv("SHIM_FREED");
    const char *name = name_in_store(fd, path, sizeof path);
    if (!room || !name || !*name || (freed && access(freed, F_OK) == 0)) return count;
    if (fstat(fd, &info)) return count;
    long long growth = (long long)(at + (off_t)count) - (long long)info.st_size;
    if (growth <= 0) return count;
    long long left = atoll(room) - atomic_fetch_add(&grown, growth);
    if (left >= growth) return count;
    atomic_fetch_sub(&grown, left > 0 ? growth - left : growth);
    long long fits = (long long)count - growth + (left > 0 ? left : 0);
    return fits > 0 ? (size_t)fits : 0;
}

static ssize_t full(void) {
    errno = ENOSPC;
    return -1;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    off_t at = lseek(fd, 0, SEEK_CUR);
    size_t fits = at < 0 ? count : room_for(fd, count, at);
    return fits || !count ? REAL(write)(fd, bytes, fits) : full();
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    size_t fits = room_for(fd, count, at);
    return fits || !count ? REAL(pwrite)(fd, bytes, fits, at) : full();
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    size_t fits = room_for(fd, count, at);
    return fits || !count ? REAL(pwrite64)(fd, bytes, fits, at) : full();
}
