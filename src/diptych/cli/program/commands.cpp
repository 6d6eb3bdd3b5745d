#include "diptych/cli/program/commands.h"

#include "diptych/cli/data/data_command.h"
#include "diptych/cli/data/decompose_command.h"
#include "diptych/cli/data/judge_command.h"
#include "diptych/cli/data/shapes_command.h"
#include "diptych/cli/model/bench_command.h"
#include "diptych/cli/model/doctor_command.h"
#include "diptych/cli/model/init_command.h"
#include "diptych/cli/model/inspect_command.h"
#include "diptych/cli/model/serve_command.h"
#include "diptych/cli/model/verify_command.h"
#include "diptych/cli/sample/sample_command.h"
#include "diptych/cli/train/eval_command.h"
#include "diptych/cli/train/export_command.h"
#include "diptych/cli/train/launch_command.h"
#include "diptych/cli/train/plan_command.h"
#include "diptych/cli/train/quickstart_command.h"
#include "diptych/cli/train/recipe_command.h"
#include "diptych/cli/train/report_command.h"
#include "diptych/cli/train/sft_command.h"
#include "diptych/cli/train/train_command.h"

namespace diptych {

void add_commands(CLI::App& app, int& status) {
  add_quickstart(app, status);
  add_sample(app, status);
  add_shapes(app, status);
  add_recipe(app, status);
  add_plan(app, status);
  add_train(app, status);
  add_launch(app, status);
  add_report(app, status);
  add_export(app, status);
  add_eval(app, status);
  add_serve(app, status);
  add_data(app, status);
  add_judge(app, status);
  add_decompose(app, status);
  add_init(app, status);
  add_inspect(app, status);
  add_sft(app, status);
  add_verify(app, status);
  add_bench(app, status);
  add_doctor(app, status);
}

}  // namespace diptych
