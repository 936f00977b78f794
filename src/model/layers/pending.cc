#include "model/layer_builder.h"
namespace dtrain::inline v0::model {
#define P(K) void build(const K&, LayerBuilder& b) { b.refuse("pending", "wait"); }
P(EmbeddingBag) P(Conv1D) P(Conv2D) P(DepthwiseConv2D) P(MaxPooling1D) P(MaxPooling2D) P(AveragePooling1D) P(AveragePooling2D) P(GlobalMaxPooling1D) P(GlobalMaxPooling2D) P(GlobalAveragePooling1D) P(GlobalAveragePooling2D) P(BatchNormalization) P(LayerNormalization) P(Concatenate) P(Add) P(Multiply) P(Dot)
}
