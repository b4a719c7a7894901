"""From a picture to a pose: marked points, files of estimators, and the fit of a body to points."""

from unveil.body.estimation.estimate import Camera as Camera
from unveil.body.estimation.estimate import ImageToPose as ImageToPose
from unveil.body.estimation.estimate import PoseEstimate as PoseEstimate
from unveil.body.estimation.files import NoPosesError as NoPosesError
from unveil.body.estimation.files import read_estimates as read_estimates
from unveil.body.estimation.keypoint_fit import KeypointFit as KeypointFit
from unveil.body.estimation.keypoints import Keypoints as Keypoints
from unveil.body.estimation.keypoints import keypoints_of as keypoints_of
from unveil.body.estimation.keypoints import read_keypoints as read_keypoints
from unveil.body.estimation.marked import marker_places as marker_places
from unveil.body.estimation.markers import BODY_25 as BODY_25
from unveil.body.estimation.markers import COCO_17 as COCO_17
from unveil.body.estimation.markers import MARKERS as MARKERS
from unveil.body.estimation.markers import MEDIAPIPE_33 as MEDIAPIPE_33
from unveil.body.estimation.markers import USUAL as USUAL
from unveil.body.estimation.people import read_people as read_people
