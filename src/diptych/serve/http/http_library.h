#pragma once
// httplib.h as the shared library was compiled: its classes have other layouts without these. Slow to read, so only
// http_stream.cpp and http_server.cpp do.

#define CPPHTTPLIB_OPENSSL_SUPPORT
#define CPPHTTPLIB_ZLIB_SUPPORT
#define CPPHTTPLIB_BROTLI_SUPPORT
#include <httplib.h>
