#define DTRAIN_KERNELS_NAMESPACE avx512
#define DTRAIN_KERNELS_TABLE kAvx512Kernels
#define DTRAIN_KERNELS_NAME "avx512"
#include "compute/kernels/variant.h"
