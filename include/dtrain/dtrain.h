#pragma once

// Everything that dtrain offers, for programs that do not count includes.

#include "dtrain/checkpoint.h"
#include "dtrain/cluster.h"
#include "dtrain/cluster_spec.h"
#include "dtrain/consistency.h"
#include "dtrain/dataset.h"
#include "dtrain/error.h"
#include "dtrain/layers.h"
#include "dtrain/learning_rate.h"
#include "dtrain/losses.h"
#include "dtrain/metrics.h"
#include "dtrain/model.h"
#include "dtrain/optimizer.h"
#include "dtrain/parameter_client.h"
#include "dtrain/parameter_server.h"
#include "dtrain/row_table.h"
#include "dtrain/run.h"
#include "dtrain/strategy.h"
#include "dtrain/update_rules.h"
#include "dtrain/variable.h"
#include "dtrain/version.h"
