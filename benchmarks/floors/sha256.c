/* sha256 ROOT N SIZE: digest N files with libcrypto, 256 KiB at a time. Prints CPU seconds. */

#include "floor.h"
#include <openssl/evp.h>

enum { PIECE = 1 << 18 };

static void digest(const char *path, char *buffer, size_t size) {
    unsigned char sum[EVP_MAX_MD_SIZE];
    ssize_t got;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) die(path);
    EVP_MD_CTX *sha256 = EVP_MD_CTX_new();
    EVP_DigestInit_ex(sha256, EVP_sha256(), NULL);
    for (size_t left = size; left && (got = read(fd, buffer, PIECE)) > 0; left -= got)
        EVP_DigestUpdate(sha256, buffer, got);
    EVP_DigestFinal_ex(sha256, sum, NULL);
    EVP_MD_CTX_free(sha256);
    close(fd);
}

int main(int count, char **args) {
    if (count != 4) return 2;
    int files = atoi(args[2]);
    char path[LONGEST_PATH], *buffer = wanted(PIECE);
    double began = cpu(RUSAGE_SELF);
    for (int i = 0; i < files; i++) {
        path_of(path, args[1], i);
        digest(path, buffer, atol(args[3]));
    }
    printf("%.6f\n", cpu(RUSAGE_SELF) - began);
}
